package follow

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"rouse/directory"
)

// few is how many of so many may be gone at once: a tenth, and fifty at least.
func few(of int) int { return max(50, of/10) }

// lacks reports whether a refresh does not show an attribute that an entry had, and
// counts that. Such entries wait for the end of the refresh.
func (s *observation) lacks(sync string, e *directory.Entry) (lacks bool) {
	old := s.model.entries[sync]
	if old == nil {
		old = s.model.byID[e.ID]
	}
	if old == nil || !s.refreshing || !s.present {
		return false
	}
	for name := range old.Attrs {
		if _, ok := e.Attrs[name]; !ok {
			s.vanished[name]++
			lacks = true
		}
	}
	return lacks
}

// gone are the entries that a refresh did not show.
func (s *observation) gone() (list []string) {
	for sync := range s.model.entries {
		if !s.seen[sync] {
			list = append(list, sync)
		}
	}
	slices.Sort(list)
	return list
}

// believe looks at a full refresh as a whole. Much that is gone at once is a lost right,
// another base or a limit rather: then nothing is taken for gone, and administrators are
// told; unless somebody accepted it.
func (s *observation) believe(ctx context.Context, now time.Time) error {
	accepted, err := s.db.Accepted(ctx, true)
	if err != nil {
		return err
	}
	s.state.Guard = ""
	clear(s.model.hidden)
	if accepted {
		return nil
	}
	var why []string
	known := len(s.model.entries)
	if n := len(s.gone()); n > few(known) {
		why = append(why, fmt.Sprintf("%d of %d entries were not shown, and that more than %d are gone at once is not believed: has the account lost a right, or the base changed?", n, known, few(known)))
	}
	had := make(map[string]int)
	for _, e := range s.model.entries {
		for name := range e.Attrs {
			had[name]++
		}
	}
	var names []string
	for name, n := range s.vanished {
		if n > few(had[name]) {
			s.model.hidden[name] = true
			names = append(names, name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		why = append(why, fmt.Sprintf("%s: not shown any more of %d entries, and that is not believed: has the account lost a right?", strings.Join(names, ", "), s.vanished[names[0]]))
	}
	if len(why) == 0 {
		return nil
	}
	s.state.Guard, s.state.Cookie = strings.Join(why, "; "), ""
	s.cfg.Logger.Error("the directory shows much less than before: nothing is taken for gone", "why", s.state.Guard, "server", s.server)
	s.model.step.Events = append(s.model.step.Events, directory.Watch(directory.WatchDegraded, now, now, s.state.Guard))
	return nil
}

// keep gives an entry what is hidden of it, as it was.
func (m *model) keep(old, e *directory.Entry) {
	for name := range m.hidden {
		if _, ok := e.Attrs[name]; !ok && old.Attrs[name] != nil {
			e.Attrs[name] = old.Attrs[name]
		}
	}
}
