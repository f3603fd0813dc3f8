package history

import (
	"fmt"
	"strings"
)

// Error is what is wrong in a line.
type Error struct {
	File string
	Line int
	Text string
	Tip  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Hint is what can be done about it.
func (e *Error) Hint() string { return e.Tip }

// File is a scripted history, alone or in an archive.
type File struct {
	Steps  []Step
	Config string // the section rouse.toml of an archive, behind so many empty lines that its mistakes are found in the file
}

const maxSteps = 100_000

// The sections of an archive.
const (
	historySection = "history"
	configSection  = "rouse.toml"
)

// Parse reads a file: lines of a history, or an archive (txtar) with the sections
// history and, perhaps, rouse.toml; what stands before them is for people.
func Parse(name, text string) (*File, error) {
	var f File
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	first := len(lines)
	for i, line := range lines {
		if _, ok := marker(line); ok {
			first = i
			break
		}
	}
	section, from, found := historySection, 0, make(map[string]bool)
	if first < len(lines) {
		section, from = "", first // a comment
	}
	var config strings.Builder
	for i := from; i < len(lines); i++ {
		wrong := func(tip, format string, args ...any) error {
			return &Error{name, i + 1, fmt.Sprintf(format, args...), tip}
		}
		if s, ok := marker(lines[i]); ok {
			switch {
			case s != historySection && s != configSection:
				return nil, wrong("history or rouse.toml", "there is no section %q", s)
			case found[s]:
				return nil, wrong("", "a second section %q", s)
			}
			if section, found[s] = s, true; s == configSection {
				config.WriteString(strings.Repeat("\n", i+1))
			}
			continue
		}
		if section == configSection {
			config.WriteString(lines[i])
			config.WriteByte('\n')
			continue
		}
		step, err := parseLine(lines[i])
		switch {
		case err != nil:
			return nil, wrong(err.tip, "%s", err.text)
		case step == nil:
			continue
		case len(f.Steps) == maxSteps:
			return nil, wrong("", "more than %d lines", maxSteps)
		}
		step.Line = i + 1
		f.Steps = append(f.Steps, *step)
	}
	if len(f.Steps) == 0 {
		return nil, &Error{name, 1, "nothing happens in it", "lines like: +2s phone hibernated out=1 unread=message@1"}
	}
	f.Config = config.String()
	return &f, nil
}

// marker gives the name in a line that begins a section.
func marker(line string) (string, bool) {
	name, ok := strings.CutPrefix(line, "-- ")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(strings.TrimRight(name, " "), " --")
	return strings.TrimSpace(name), ok
}
