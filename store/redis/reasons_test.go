package redis

import (
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// TestFewerReasons: the record may be shorter than the contract allows, or none.
func TestFewerReasons(t *testing.T) {
	server := start(t, inMemory)
	for _, c := range []struct{ asked, want int }{{0, 5}, {-1, 0}, {3, 3}, {store.MaxReasons + 1, 5}} {
		s := server.empty(t, func(o *Options) { o.Reasons, o.Durability = c.asked, Fast })
		var version uint64
		for n := range 5 {
			decision := store.Commit{Key: juliet, Version: version, Reasons: []session.Reason{{At: noon.Add(time.Duration(n)), Event: session.Bind}}}
			var err error
			if version, err = s.Commit(t.Context(), decision); err != nil {
				t.Fatal(err)
			}
		}
		if r, err := s.Reasons(t.Context(), juliet, time.Time{}); err != nil || len(r) != c.want {
			t.Errorf("Reasons: %d: %d are kept of 5, want %d (%v)", c.asked, len(r), c.want, err)
		}
	}
}
