package history

import (
	"fmt"
	"strings"
	"time"

	"rouse/session"
)

// Step is one line. All parts may be missing: a line with a time alone is a pause.
type Step struct {
	Line    int
	Text    string        // as it stands there, without what is wanted
	Pause   time.Duration // before it
	At      time.Time     // if it is not zero: it happens then
	Event   *session.Event
	Node    string // of the device that the event is about; empty: none
	Answers *Answers
	Wants   []Want // what is to be decided
	Checked bool   // something is wanted, even if that is nothing
}

// Answers is what a provider says to the next tries to wake a device, in order.
// After them it takes every wake at once.
type Answers struct {
	Device string
	List   []Answer
}

// Answer is one of them.
type Answer struct {
	Verdict session.Verdict
	Takes   time.Duration // until it comes
	Again   time.Duration // session.Again: until the next try
}

// Want is what somebody expects of one device, in words that the decision must have.
type Want []string

// mistake is what is wrong in a line, before it is known which one it is.
type mistake struct{ text, tip string }

func wrong(tip, format string, args ...any) *mistake {
	return &mistake{fmt.Sprintf(format, args...), tip}
}

// parseLine reads one line; nil: there is nothing in it.
func parseLine(line string) (*Step, *mistake) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil, nil
	}
	text, wants, checked := strings.Cut(line, "=>")
	step := &Step{Text: strings.TrimSpace(text), Checked: checked}
	if err := step.wants(wants); err != nil {
		return nil, err
	}
	words := strings.Fields(text)
	words, err := step.time(words)
	switch {
	case err != nil:
		return nil, err
	case len(words) == 0 && step.Pause == 0 && step.At.IsZero():
		return nil, wrong("phone queued message i:1 => a3 woken phone", "nothing happens before =>")
	case len(words) == 0:
		return step, nil
	case words[0] == "provider":
		err = step.provider(words[1:])
	default:
		err = step.event(words)
	}
	if err != nil {
		return nil, err
	}
	return step, nil
}

// wants reads what stands behind the arrow: "-" is nothing.
func (s *Step) wants(text string) *mistake {
	if !s.Checked || strings.TrimSpace(text) == "-" {
		return nil
	}
	for part := range strings.SplitSeq(text, ";") {
		words := strings.Fields(part)
		if len(words) == 0 {
			return wrong("=> b wake phone; b quiet desk, or => - for nothing", "something is missing behind =>")
		}
		s.Wants = append(s.Wants, words)
	}
	return nil
}

const maxPause = 366 * 24 * time.Hour

// time reads when it happens, and gives the rest.
func (s *Step) time(words []string) ([]string, *mistake) {
	if len(words) == 0 {
		return words, nil
	}
	if pause, ok := strings.CutPrefix(words[0], "+"); ok {
		d, err := time.ParseDuration(pause)
		if err != nil || d < 0 || d > maxPause {
			return nil, wrong("a pause like +2s, +5m or +1h30m", "%q is not a time that can pass", words[0])
		}
		s.Pause = d
		return words[1:], nil
	}
	if c := words[0][0]; c >= '0' && c <= '9' && strings.Contains(words[0], "T") {
		at, err := time.Parse(time.RFC3339, words[0])
		if err != nil {
			return nil, wrong("like 2026-11-22T03:00:00Z or 2026-11-22T04:00:00+01:00", "%q is not a time", words[0])
		}
		s.At = at
		return words[1:], nil
	}
	return words, nil
}

// provider reads "phone again=30s sent takes=2s": takes belongs to the answer before it.
func (s *Step) provider(words []string) *mistake {
	const tip = "provider phone again=30s sent takes=2s; there are sent, again, gave-up and died"
	if len(words) < 2 {
		return wrong(tip, "which device's provider answers what?")
	}
	s.Answers = &Answers{Device: words[0]}
	for _, w := range words[1:] {
		k, v, valued := strings.Cut(w, "=")
		var d time.Duration
		if valued {
			var err error
			if d, err = time.ParseDuration(v); err != nil || d < 0 || d > maxPause {
				return wrong(tip, "%q is not a duration", v)
			}
		}
		n := len(s.Answers.List)
		switch {
		case k == "sent" && !valued:
			s.Answers.List = append(s.Answers.List, Answer{Verdict: session.Sent})
		case k == "again":
			if !valued {
				d = 5 * time.Second
			}
			s.Answers.List = append(s.Answers.List, Answer{Verdict: session.Again, Again: d})
		case k == "gave-up" && !valued:
			s.Answers.List = append(s.Answers.List, Answer{Verdict: session.GaveUp})
		case k == "died" && !valued:
			s.Answers.List = append(s.Answers.List, Answer{Verdict: session.Died})
		case k == "takes" && valued && n > 0:
			s.Answers.List[n-1].Takes = d
		default:
			return wrong(tip, "a provider does not answer %q", w)
		}
	}
	return nil
}
