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

// stored is a thing of which many are put into Redis, and what one may cost there.
type stored struct {
	what string
	most float64 // bytes
	item func(i int) store.Item
}

// things are as long as those that clients, servers and providers make.
func things() []stored {
	hexes := strings.Repeat("0123456789abcdef", 4)
	registration := func(i int, token string) store.Item {
		return store.Item{Registration: session.Registration{Node: fmt.Sprintf("%032x", i), App: "chat-ios", Token: token,
			Device: hex.EncodeToString([]byte(hexes)[:20]), Domain: "example.org", Updated: noon.Add(123456789)}}
	}
	return []stored{
		{"session", 200, func(i int) store.Item {
			return store.Item{Owner: store.Owner{Key: fmt.Sprintf("user%06d@example.org", i), Account: session.Account{Sessions: map[string]session.Session{
				fmt.Sprintf("c2s%012x-19b3f8a%04x", i, i&0xffff): {Resource: "phone.a1b2", State: session.Hibernated, Epoch: 1772366400123, Counter: 27, Out: 350, Acked: 347, Told: session.Mark{Epoch: 1772366400123, Seq: 1234567}},
			}}}}
		}},
		{"APNs-registration", 300, func(i int) store.Item { return registration(i, hexes) }},
		{"FCM-registration", 420, func(i int) store.Item { return registration(i, strings.Repeat("x", 163)) }},
	}
}

// cost is how many bytes one of n things takes in Redis, keys and all, by Redis' own
// figure.
func (s *server) cost(t testing.TB, what stored, n int) float64 {
	t.Helper()
	st := s.empty(t, func(o *Options) { o.Durability = Fast })
	defer st.Close()
	if err := st.Put(t.Context(), []store.Item{what.item(n), what.item(n + 1)}); err != nil {
		t.Fatal(err)
	}
	before := s.used(t)
	items := make([]store.Item, n)
	for i := range items {
		items[i] = what.item(i)
	}
	if err := st.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	return float64(s.used(t)-before) / float64(n)
}

func TestBytes(t *testing.T) {
	server := start(t, inMemory)
	for _, what := range things() {
		if each := server.cost(t, what, 100_000); each > what.most || each < what.most/4 {
			t.Errorf("%s: %.0f bytes each, at most %.0f are wanted", what.what, each, what.most)
		}
	}
}

// The figures of docs/performance.md:
//
//	go test -run '^$' -bench Bytes -benchtime 1x ./store/redis
func BenchmarkBytes(b *testing.B) {
	server := start(b, inMemory)
	for _, what := range things() {
		b.Run(what.what, func(b *testing.B) {
			for b.Loop() {
				each := server.cost(b, what, 100_000)
				if b.ReportMetric(each, "bytes/each"); each > what.most {
					b.Errorf("%.0f bytes each, at most %.0f are wanted", each, what.most)
				}
			}
		})
	}
}
