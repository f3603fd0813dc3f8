package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rouse/business"
	"rouse/business/timeline"
	"rouse/session"
)

// TestEveryRuleHasAnExample: docs/rules.md has a section for each rule, and in each
// section an example that comes out as it stands there. In that of a rule it is this
// rule that decides. A new rule wants a section "## Rule NAME: …", nothing else.
func TestEveryRuleHasAnExample(t *testing.T) {
	for _, mistake := range rulesMistaken(rulesText(t)) {
		t.Error(mistake)
	}
}

// TestRulesAreHeld: what is wrong in docs/rules.md is found.
func TestRulesAreHeld(t *testing.T) {
	text := rulesText(t)
	for _, m := range []struct{ name, old, new, found string }{
		{"a rule that there is none of", "## Rule c: stored offline", "## Rule d: stored offline", `there is no rule "d"`},
		{"a rule without a section", "## Rule c: stored offline", "## Stored offline", "rule c has no section"},
		{"a rule twice", "## Rule b: archived", "## Rule c: stored offline", "rule c has a second section"},
		{"another name than explain's", "## Rule c: stored offline", "## Rule c: on the shelf", `explain calls it "stored offline"`},
		{"another rule decides", "account publish", "account offline", "no example in which it decides"},
		{"another timeline", "12:00:20  the client was heard", "12:00:21  the client was heard", "the timeline behind line"},
		{"no timeline", "$ rouse simulate frozen", "$ rouse simulated frozen", "shows no timeline"},
		{"another decision", "=> b quiet phone message", "=> b wake phone message", "decided is something else than wanted"},
		{"no reason", "**Why.** A phone that fell out", "A phone that fell out", "Rule a1: a silent client: **Why.** is missing"},
		{"no specification", "XEP-0313 §6.1", "somewhere", "XEP-0313 is missing behind **From.**"},
	} {
		if !strings.Contains(text, m.old) {
			t.Errorf("%s: docs/rules.md has no %q", m.name, m.old)
		}
		if all := strings.Join(rulesMistaken(strings.Replace(text, m.old, m.new, 1)), "\n"); !strings.Contains(all, m.found) {
			t.Errorf("%s: found is\n%s\nand not %s", m.name, all, m.found)
		}
	}
}

func rulesText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	ruleHeading = regexp.MustCompile(`^Rule (\S+): (.+)$`)
	specified   = regexp.MustCompile(`(XEP-\d{4}|RFC \d{4})`)
)

// rulesMistaken says what is wrong in a text like docs/rules.md.
func rulesMistaken(text string) (mistakes []string) {
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Sprintf(format, args...)) }
	has := make(map[string]bool)
	first := strings.Index(text, "\n## ") + 1
	if first == 0 {
		return []string{"there are no sections"}
	}
	line := strings.Count(text[:first], "\n")
	for _, section := range strings.SplitAfter(text[first:], "\n\n## ") {
		section = strings.TrimSuffix(section, "## ")
		heading, body, _ := strings.Cut(strings.TrimPrefix(section, "## "), "\n")
		from := sayWhatIsMissing(heading, body, wrong)
		decided := playAll(heading, body, line, wrong)
		line += strings.Count(section, "\n")

		rule := ruleHeading.FindStringSubmatch(heading)
		if rule == nil {
			continue
		}
		name, called := rule[1], rule[2]
		switch {
		case !slices.Contains(business.Rules(), name):
			wrong("there is no rule %q", name)
			continue
		case has[name]:
			wrong("rule %s has a second section", name)
		case !decided[name]:
			wrong("rule %s has no example in which it decides", name)
		}
		has[name] = true
		words, _, _ := strings.Cut(timeline.Rule(name), ":")
		if called != words {
			wrong("rule %s is called %q: explain calls it %q", name, called, words)
		}
		for _, spec := range specified.FindAllString(timeline.Rule(name), -1) {
			if !strings.Contains(from, spec) {
				wrong("%s: %s is missing behind **From.**, explain has it", heading, spec)
			}
		}
	}
	for _, name := range business.Rules() {
		if name != "" && !has[name] {
			wrong("rule %s has no section", name)
		}
	}
	return mistakes
}

// sayWhatIsMissing looks at the parts of a section, and gives where it is from.
func sayWhatIsMissing(heading, body string, wrong func(string, ...any)) (from string) {
	for _, part := range []string{"**What happens.** ", "**Why.** ", "**From.** "} {
		_, after, found := strings.Cut(body, "\n"+part)
		if !found {
			wrong("%s: %sis missing, or not in its place", heading, part)
			continue
		}
		body = after
		from, _, _ = strings.Cut(after, "\n\n")
	}
	if !specified.MatchString(from) {
		wrong("%s: it is from no specification", heading)
	}
	return from
}

// playAll plays the examples of a section, and gives the rules that decided something.
func playAll(heading, body string, line int, wrong func(string, ...any)) map[string]bool {
	decided := make(map[string]bool)
	list := examples(body)
	if len(list) == 0 {
		wrong("%s: there is no example", heading)
	}
	for _, e := range list {
		e.line += line + 1
		out, errs, code := e.simulated()
		switch {
		case code != exitFine:
			wrong("%s: the history that ends in line %d: %s", heading, e.line, errs)
			continue
		case !e.hasShown:
			wrong("%s: the example that ends in line %d shows no timeline", heading, e.line)
		case e.shown != out:
			wrong("%s: the timeline behind line %d is\n%s", heading, e.line, out)
		}
		reasons, _, _ := e.simulated("--json")
		for text := range strings.Lines(reasons) {
			var r told
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				wrong("%s: %v in %s", heading, err, text)
				continue
			}
			spoken := session.Verdict(r.Verdict) != session.Quiet || r.Class != session.Nothing
			decided[r.Rule] = decided[r.Rule] || spoken && r.Event != session.Settled
		}
	}
	return decided
}
