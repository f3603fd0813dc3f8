package sqlite

import (
	"path/filepath"
	"testing"

	"rouse/store"
	"rouse/store/storetest"
)

func fresh(t *testing.T) store.Store {
	return openAt(t, filepath.Join(t.TempDir(), "rouse.db"), Options{})
}

func TestStore(t *testing.T) { storetest.Run(t, fresh) }

func TestPersistent(t *testing.T) {
	storetest.RunPersistent(t, fresh, func(t *testing.T, s store.Store) store.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return openAt(t, s.(*Store).path, Options{})
	})
}
