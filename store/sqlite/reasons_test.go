package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// TestFewerReasons: the record may be shorter than the contract allows, or none.
func TestFewerReasons(t *testing.T) {
	for _, keep := range []int{3, 1, -1} {
		t.Run(fmt.Sprint(keep), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rouse.db")
			s := openAt(t, path, Options{})
			noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			var version uint64
			n := 0
			commit := func(s *Store, reasons int) {
				t.Helper()
				c := store.Commit{Key: "juliet@example.org", Version: version}
				for range reasons {
					n++
					c.Reasons = append(c.Reasons, session.Reason{At: noon, Why: fmt.Sprint(n)})
				}
				var err error
				if version, err = s.Commit(t.Context(), c); err != nil {
					t.Fatal(err)
				}
			}
			commit(s, 150)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openAt(t, path, Options{Reasons: keep})
			defer s.Close()
			for _, reasons := range []int{1, 2, 7, 0} { // what was kept before goes with the first
				commit(s, reasons)
				got, err := s.Reasons(t.Context(), "juliet@example.org", time.Time{})
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != max(0, keep) || keep > 0 && got[keep-1].Why != fmt.Sprint(n) {
					t.Errorf("after %d of %d: %v", reasons, n, got)
				}
				if err := s.Verify(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
