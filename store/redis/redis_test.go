package redis

import (
	"testing"

	"rouse/store"
	"rouse/store/storetest"
)

func TestStore(t *testing.T) {
	server := start(t, inMemory)
	storetest.Run(t, func(t *testing.T) store.Store {
		return server.empty(t)
	}, func(t *testing.T, s store.Store) store.Store {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return server.open(t)
	})
}

func TestShared(t *testing.T) {
	server := start(t, inMemory)
	storetest.RunShared(t, func(t *testing.T) (first, second store.Store) {
		return server.empty(t, process(storetest.First)), server.open(t, process(storetest.Second))
	})
}
