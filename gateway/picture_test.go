package gateway

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"rouse/store"
)

// reported is a store that knows how far one module has come, and no more.
type reported struct {
	store.Store
	rep store.Reporter
}

func (r reported) Reporter(context.Context, string) (store.Reporter, error) { return r.rep, nil }

func TestPicturesThatDoNotEndAreAskedForAgain(t *testing.T) {
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		rep  store.Reporter
		want bool
	}{
		{"complete", store.Reporter{Epoch: 1}, false},
		{"wanted", store.Reporter{Epoch: 1, Wanted: true}, true},
		{"under way", store.Reporter{Epoch: 1, Wanted: true, Picture: now.Add(-time.Minute)}, false},
		{"stuck since a time that is to come, for the clock was set back", store.Reporter{Epoch: 1, Wanted: true, Picture: now.Add(time.Hour)}, true},
		{"stuck", store.Reporter{Epoch: 1, Wanted: true, Picture: now.Add(-time.Hour)}, true},
	} {
		g := New(Config{
			Store: reported{rep: c.rep}, Hosts: []string{"example.org"}, Now: func() time.Time { return now },
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		g.lookAgain(t.Context())
		if got := len(g.ask) == 1; got != c.want {
			t.Errorf("%s: asked %v, want %v", c.name, got, c.want)
		}
	}
}
