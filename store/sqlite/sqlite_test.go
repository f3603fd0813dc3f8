package sqlite

import (
	"path/filepath"
	"testing"

	"rouse/store"
	"rouse/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return openAt(t, filepath.Join(t.TempDir(), "rouse.db"), Options{})
	}, func(t *testing.T, s store.Store) store.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return openAt(t, s.(*Store).path, Options{})
	})
}
