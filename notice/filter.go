package notice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Filter is rules that have to be true all together.
type Filter struct {
	text  string
	rules []rule
}

type rule struct {
	match match
	not   bool
}

// Bounds of a filter.
const (
	maxText  = 1000 // bytes
	maxRules = 16
)

// ParseFilter reads rules: "kind password.*, not severity error". They are separated
// by commas; words with spaces or commas in them stand in double quotes.
func ParseFilter(text string) (*Filter, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("these are more than %d characters", maxText)
	}
	list, err := words(text)
	if err != nil {
		return nil, err
	}
	if len(list) > maxRules {
		return nil, fmt.Errorf("these are more than %d rules", maxRules)
	}
	f := &Filter{}
	var out []string
	for _, w := range list {
		var r rule
		if len(w) > 0 && strings.EqualFold(w[0], "not") {
			r.not, w = true, w[1:]
		}
		if len(w) == 0 {
			return nil, errors.New("there is a rule missing: like kind password.*")
		}
		name := strings.ToLower(w[0])
		types := ruleTypes()
		i := slices.IndexFunc(types, func(t ruleType) bool { return t.Name == name })
		if i < 0 {
			return nil, unknownRule(w[0], types)
		}
		t, args := types[i], w[1:]
		if len(args) < t.least || len(args) > t.most && (t.most > 0 || t.least == 0) {
			return nil, fmt.Errorf("%s is written: %s", t.Name, strings.TrimSpace(t.Name+" "+t.Args))
		}
		if r.match, err = t.compile(args); err != nil {
			return nil, err
		}
		f.rules = append(f.rules, r)
		line := name
		for _, a := range args {
			line += " " + quoted(a)
		}
		if r.not {
			line = "not " + line
		}
		out = append(out, line)
	}
	f.text = strings.Join(out, ", ")
	return f, nil
}

// String gives the rules as ParseFilter reads them.
func (f *Filter) String() string { return f.text }

// Match reports whether all rules are true. A rule that fails is not true, whether
// negated or not.
func (f *Filter) Match(v *View) (bool, error) {
	for _, r := range f.rules {
		yes, err := r.match(v)
		if err != nil || yes == r.not {
			return false, err
		}
	}
	return true, nil
}

func unknownRule(name string, types []ruleType) error {
	var names []string
	for _, t := range types {
		names = append(names, t.Name)
	}
	if near := Nearest(strings.ToLower(name), names); near != "" {
		return fmt.Errorf("there is no rule %q, did you mean %s?", name, near)
	}
	return fmt.Errorf("there is no rule %q: these are %s", name, strings.Join(names, ", "))
}

// Nearest gives the word of a list that was meant, if a third of its letters at most is
// wrong; empty: none was.
func Nearest(word string, list []string) (best string) {
	far := 100
	for _, w := range list {
		if d := distance(word, w); d < far && 3*d <= max(len(word), len(w)) {
			best, far = w, d
		}
	}
	return best
}

// distance is how many letters have to be changed, put in, taken out or swapped with
// their neighbour to make one word of another.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}

// words splits rules at commas and their words at spaces.
func words(text string) (list [][]string, err error) {
	var one []string
	var word strings.Builder
	open, started, escaped := false, false, false
	end := func() {
		if started {
			one = append(one, word.String())
		}
		word.Reset()
		started = false
	}
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case open && r == '\\':
			escaped = true
		case r == '"':
			open, started = !open, true
		case open:
			word.WriteRune(r)
		case r == ',':
			end()
			list = append(list, one)
			one = nil
		case unicode.IsSpace(r):
			end()
		default:
			word.WriteRune(r)
			started = true
		}
	}
	if open {
		return nil, errors.New("a quotation mark is missing")
	}
	end()
	return append(list, one), nil
}

func quoted(word string) string {
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return r == ',' || r == '"' || r == '\\' || unicode.IsSpace(r) }) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}
