package notice

import (
	"strings"
	"testing"
	"time"
)

var reset = Notice{
	ID: "1", Source: "directory", Kind: "password.reset", Severity: Warning, Subject: "juliet", Text: "The password of juliet was reset.",
	People: []Person{{Name: "juliet", Address: "juliet@x"}}, Fields: map[string]string{"by": "uid=admin", "group": "Admins", "path": "a/b"},
	At: time.Date(2026, 11, 27, 23, 30, 0, 0, time.UTC),
}

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		text  string
		match bool
		is    string // how it is written then; empty: the same
	}{
		{"all", true, ""},
		{"default", true, ""},
		{"not default", false, ""},
		{"mine", true, ""},
		{"kind password.*", true, ""},
		{"Kind  PASSWORD.*", true, "kind PASSWORD.*"},
		{"kind user.* group.*", false, ""},
		{"kind user.* password.reset", true, ""},
		{"kind password.*, severity error", false, ""},
		{"kind password.* , severity warning,not subject romeo", true, "kind password.*, severity warning, not subject romeo"},
		{"severity info", true, ""},
		{"not severity error", true, ""},
		{"source directory", true, ""},
		{"user jul*", true, ""},
		{"user romeo nurse", false, ""},
		{"group admins", true, ""},
		{"field by uid=*", true, ""},
		{"field path a*", true, ""}, // a slash is a character
		{"field nothing *", false, ""},
		{`text "was reset"`, true, ""},
		{`text was reset`, true, ""},
		{`text "a, b"`, false, ""},
		{"hours 23:00-01:00", true, ""},
		{"hours 00:30-01:00 Europe/Berlin", true, ""},
		{"hours 08:00-17:00", false, ""},
		{`expr "severity == 'warning' and 'juliet' in people"`, true, ""},
		{`expr "fields.group matches '(?i)^admins$' or kind == 'none'"`, true, ""},
		{`expr "lower(fields.group) == 'admins' and role == 'you'"`, true, ""},
		{`not expr "subject startsWith 'ro'"`, true, ""},
	} {
		f, err := ParseFilter(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		n := reset
		got, err := f.Match(&View{Notice: &n, Role: You, Default: true, Now: n.At})
		if got != c.match || err != nil {
			t.Errorf("%s: %v, %v", c.text, got, err)
		}
		want := c.is
		if want == "" {
			want = c.text
		}
		if f.String() != want && c.is != "" {
			t.Errorf("%s is written %s", c.text, f)
		}
		again, err := ParseFilter(f.String())
		if err != nil || again.String() != f.String() {
			t.Errorf("%s: read again it is %v, %v", c.text, again, err)
		}
	}
}

func TestFilterErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "there is a rule missing",
		"all,":                      "there is a rule missing",
		"not":                       "there is a rule missing",
		"kindd user.*":              `there is no rule "kindd", did you mean kind?`,
		"everything":                `there is no rule "everything": these are default, all, mine, kind`,
		"kind":                      "kind is written: kind PATTERN...",
		"mine yes":                  "mine is written: mine",
		"kind [":                    "no pattern",
		"severity high":             "severity is info, warning or error",
		"hours 25:00-26:00":         "no time of day",
		"hours 08:00-17:00 Nowhere": "no clock",
		"field by":                  "field is written: field NAME PATTERN...",
		`text "a`:                   "a quotation mark is missing",
		`expr kind`:                 "the expression is not understood",
		`expr "secrets == 'x'"`:     "the expression is not understood",
		`expr "all(people, true)"`:  "the expression is not understood",
		`expr "1 in 1..100000000"`:  "no loops, ranges and variables",
		`expr "let a = text + text; let b = a + a; len(b) > 1"`: "no loops, ranges and variables",
		`expr "true; true"`:                              "no loops, ranges and variables",
		`expr "len(filter(1..9, {# > 1})) > 1"`:          "the expression is not understood",
		`expr "repeat('x', 9) == ''"`:                    "the expression is not understood",
		`expr "` + strings.Repeat("not ", 200) + `true"`: "longer than",
		`expr "` + strings.Repeat("1+", 110) + `1 == 1"`: "the expression is not understood",
		strings.Repeat("all,", 20) + "all":               "more than 16 rules",
		"text " + strings.Repeat("x", 1000):              "more than 1000 characters",
	} {
		if _, err := ParseFilter(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// TestFailing: a rule that fails is not true, nor is its opposite.
func TestFailing(t *testing.T) {
	f, err := ParseFilter(`not expr "fields.group matches fields.by"`)
	if err != nil {
		t.Fatal(err)
	}
	n := Notice{Fields: map[string]string{"by": "("}}
	if yes, err := f.Match(&View{Notice: &n}); yes || err == nil {
		t.Errorf("what fails matches: %v, %v", yes, err)
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{"kind user.*, not severity error", `text "a\"b", hours 22:00-07:00 Europe/Berlin`, `expr "kind == 'x'"`, ",", `"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		one, err := ParseFilter(text)
		if err != nil {
			return
		}
		n := reset
		yes, failed := one.Match(&View{Notice: &n, Now: n.At})
		again, err := ParseFilter(one.String())
		if err != nil && len(one.String()) <= maxText {
			t.Fatalf("%q became %q: %v", text, one, err)
		}
		if err == nil {
			if y, f := again.Match(&View{Notice: &n, Now: n.At}); y != yes || (f == nil) != (failed == nil) {
				t.Fatalf("%q and %q differ", text, one)
			}
		}
	})
}
