package simulate

import (
	"strings"

	"rouse/session"
	"rouse/session/history"
)

// spoken are the reasons that decide something: what merely happened is none.
func spoken(list []session.Reason) []session.Reason {
	var out []session.Reason
	for _, r := range list {
		if r.Endpoint.Node != "" || r.Verdict != session.Quiet || r.Class != session.Nothing {
			out = append(out, r)
		}
	}
	return out
}

// Told is what was decided, in the words of what may be wanted.
func Told(list []session.Reason) string {
	var told []string
	for _, r := range spoken(list) {
		told = append(told, strings.Join(words(r), " "))
	}
	if len(told) == 0 {
		return "-"
	}
	return strings.Join(told, "; ")
}

// words are those of a reason: rule, verdict, device, class, and why a wake waits.
func words(r session.Reason) []string {
	name := r.Endpoint.Node
	if name == "" {
		name = "nobody"
	}
	w := strings.TrimSpace(r.Rule + " " + string(r.Verdict) + " " + name + " " + r.Class.String())
	if r.Verdict == session.Woke {
		when, _, _ := strings.Cut(r.Why, ",")
		w += " " + when
	}
	return strings.Fields(w)
}

// fits reports whether each reason has all words of what is wanted of it, in order.
func fits(list []session.Reason, wants []history.Want) bool {
	got := spoken(list)
	if len(got) != len(wants) {
		return false
	}
	for i, r := range got {
		have := words(r)
		for _, w := range wants[i] {
			at := -1
			for j, h := range have {
				if h == w {
					at = j
					break
				}
			}
			if at < 0 {
				return false
			}
			have = have[at+1:]
		}
	}
	return true
}

func wanted(wants []history.Want) string {
	var all []string
	for _, w := range wants {
		all = append(all, strings.Join(w, " "))
	}
	if len(all) == 0 {
		return "-"
	}
	return strings.Join(all, "; ")
}
