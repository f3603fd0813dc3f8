package redis

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"rouse/session"
	"rouse/store"
)

// used is what Redis says it uses.
func (s *server) used(t testing.TB) int {
	t.Helper()
	text, err := s.client.Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(infoFields(text)["used_memory"])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBytes measures what a session and a registration cost in Redis, keys and all,
// by Redis' own figure, with many of them.
func TestBytes(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	server := start(t, inMemory)
	node := func(i int) string { return fmt.Sprintf("%032x", i) } // as long as one that gateway issues
	hexes := strings.Repeat("0123456789abcdef", 4)
	registration := func(i, size int) session.Registration {
		token := hexes
		if size > len(hexes) {
			token = strings.Repeat("x", size)
		}
		return session.Registration{Node: node(i), App: "chat-ios", Token: token[:size], Device: hex.EncodeToString([]byte(hexes)[:20]), Domain: "example.org", Updated: noon.Add(123456789)}
	}
	for _, test := range []struct {
		what string
		most int
		item func(i int) store.Item
	}{
		{"session", 200, func(i int) store.Item {
			return store.Item{Owner: store.Owner{Key: fmt.Sprintf("user%06d@example.org", i), Account: session.Account{Sessions: map[string]session.Session{
				fmt.Sprintf("c2s%012x-19b3f8a%04x", i, i&0xffff): {Resource: "phone.a1b2", State: session.Hibernated, Epoch: 1772366400123, Counter: 27, Out: 350, Acked: 347, Told: session.Mark{Epoch: 1772366400123, Seq: 1234567}},
			}}}}
		}},
		{"APNs registration", 300, func(i int) store.Item { return store.Item{Registration: registration(i, 64)} }},
		{"FCM registration", 420, func(i int) store.Item { return store.Item{Registration: registration(i, 163)} }},
	} {
		s := server.empty(t, func(o *Options) { o.Durability = Fast })
		if err := s.Put(t.Context(), []store.Item{test.item(n), test.item(n + 1)}); err != nil {
			t.Fatal(err)
		}
		before := server.used(t)
		items := make([]store.Item, n)
		for i := range items {
			items[i] = test.item(i)
		}
		if err := s.Put(t.Context(), items); err != nil {
			t.Fatal(err)
		}
		each := float64(server.used(t)-before) / float64(n)
		t.Logf("%s: %.0f bytes of Redis' memory each, of %d", test.what, each, n)
		if each > float64(test.most) {
			t.Errorf("%s: %.0f bytes each, at most %d are wanted", test.what, each, test.most)
		}
		s.Close()
	}
}
