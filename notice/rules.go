package notice

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// View is a notice as somebody would get it.
type View struct {
	*Notice
	Role    Role
	Default bool // they are told of it unless they choose otherwise
	Now     time.Time
}

// RuleInfo describes a rule for those who choose.
type RuleInfo struct{ Name, Args, About string }

// match is a rule with its arguments.
type match func(*View) (bool, error)

// ruleType is one named rule.
type ruleType struct {
	RuleInfo
	least, most int // arguments; most 0 with least > 0: any number
	compile     func(args []string) (match, error)
}

func ruleTypes() []ruleType {
	return []ruleType{
		{RuleInfo{"default", "", "what you are told unless you choose"}, 0, 0, func([]string) (match, error) {
			return func(v *View) (bool, error) { return v.Default, nil }, nil
		}},
		{RuleInfo{"all", "", "everything that you may be told"}, 0, 0, func([]string) (match, error) {
			return func(*View) (bool, error) { return true, nil }, nil
		}},
		{RuleInfo{"mine", "", "what concerns yourself"}, 0, 0, func([]string) (match, error) {
			return func(v *View) (bool, error) { return v.Role == You, nil }, nil
		}},
		{RuleInfo{"kind", "PATTERN...", "of a kind, like password.* or user.created"}, 1, 0, patterns(func(v *View) []string { return []string{v.Kind} })},
		{RuleInfo{"severity", "info|warning|error", "that matters as much, or more"}, 1, 1, func(args []string) (match, error) {
			least := Severity(args[0])
			if !slices.Contains(Severities(), least) {
				return nil, fmt.Errorf("severity is info, warning or error, not %q", args[0])
			}
			return func(v *View) (bool, error) { return v.Severity.AtLeast(least), nil }, nil
		}},
		{RuleInfo{"source", "PATTERN...", "from there: directory, or who emitted it"}, 1, 0, patterns(func(v *View) []string { return []string{v.Source} })},
		{RuleInfo{"subject", "PATTERN...", "about that user, group, host or service"}, 1, 0, patterns(func(v *View) []string { return []string{v.Subject} })},
		{RuleInfo{"user", "PATTERN...", "that concerns that user"}, 1, 0, patterns(func(v *View) (names []string) {
			for _, p := range v.People {
				names = append(names, p.Name)
			}
			return names
		})},
		{RuleInfo{"group", "PATTERN...", "about that group, or who came into it or left it"}, 1, 0, patterns(func(v *View) []string { return []string{v.Fields["group"]} })},
		{RuleInfo{"field", "NAME PATTERN...", "with a field that looks so"}, 2, 0, func(args []string) (match, error) {
			return patterns(func(v *View) []string { return []string{v.Fields[args[0]]} })(args[1:])
		}},
		{RuleInfo{"text", "WORDS", "in whose text these words stand"}, 1, 0, func(args []string) (match, error) {
			words := strings.ToLower(strings.Join(args, " "))
			return func(v *View) (bool, error) { return strings.Contains(strings.ToLower(v.Text), words), nil }, nil
		}},
		{RuleInfo{"hours", "HH:MM-HH:MM [ZONE]", "that comes at that time of day"}, 1, 2, hours},
		{RuleInfo{"expr", "EXPRESSION", `for which that is true: expr "severity == 'error' or fields.group == 'admins'"`}, 1, 1, expression},
	}
}

// Rules describes the rules, for those who choose.
func Rules() (list []RuleInfo) {
	for _, t := range ruleTypes() {
		list = append(list, t.RuleInfo)
	}
	return list
}

// patterns matches if one of the patterns (path.Match, case does not count) fits one of
// the values.
func patterns(values func(*View) []string) func([]string) (match, error) {
	return func(args []string) (match, error) {
		list := make([]string, len(args))
		for i, a := range args {
			list[i] = strings.ToLower(a)
			if _, err := path.Match(list[i], ""); err != nil {
				return nil, fmt.Errorf("%q is no pattern, like user.*", a)
			}
		}
		return func(v *View) (bool, error) {
			for _, value := range values(v) {
				value = strings.ReplaceAll(strings.ToLower(value), "/", "\x00") // a slash is a character like others
				for _, p := range list {
					if ok, _ := path.Match(strings.ReplaceAll(p, "/", "\x00"), value); ok && value != "" {
						return true, nil
					}
				}
			}
			return false, nil
		}, nil
	}
}

func hours(args []string) (match, error) {
	from, to, ok := strings.Cut(args[0], "-")
	begin, err1 := time.Parse("15:04", from)
	end, err2 := time.Parse("15:04", to)
	if !ok || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%q is no time of day, like 22:00-07:00", args[0])
	}
	zone := time.UTC
	if len(args) > 1 {
		var err error
		if zone, err = time.LoadLocation(args[1]); err != nil || args[1] == "Local" {
			return nil, fmt.Errorf("there is no clock of %q: write it like Europe/Berlin", args[1])
		}
	}
	minute := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	b, e := minute(begin), minute(end)
	return func(v *View) (bool, error) {
		now := minute(v.Now.In(zone))
		if b <= e {
			return now >= b && now < e, nil
		}
		return now >= b || now < e, nil
	}, nil
}
