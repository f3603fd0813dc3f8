package redis

import (
	"testing"

	"rouse/store"
	"rouse/store/storetest"
)

func TestStore(t *testing.T) {
	server := start(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		return server.empty(t)
	}, func(t *testing.T, s store.Store) store.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return server.open(t)
	})
}
