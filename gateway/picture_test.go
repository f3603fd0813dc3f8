package gateway

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"rouse/session"
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
		seen look
		want bool
	}{
		{"complete", store.Reporter{Epoch: 1}, look{}, false},
		{"wanted", store.Reporter{Epoch: 1, Wanted: true}, look{}, true},
		{"under way", store.Reporter{Epoch: 1, Seq: 9, Wanted: true, Picture: 8}, look{}, false},
		{"under way for long", store.Reporter{Epoch: 1, Seq: 9, Wanted: true, Picture: 8}, look{session.Mark{Epoch: 1, Seq: 8}, looks - 1}, false},
		{"begun anew", store.Reporter{Epoch: 1, Seq: 9, Wanted: true, Picture: 8}, look{session.Mark{Epoch: 1, Seq: 7}, looks}, false},
		{"stuck", store.Reporter{Epoch: 1, Seq: 9, Wanted: true, Picture: 8}, look{session.Mark{Epoch: 1, Seq: 8}, looks}, true},
	} {
		g := New(Config{
			Store: reported{rep: c.rep}, Hosts: []string{"example.org"}, Now: func() time.Time { return now },
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		g.lookAgain(t.Context(), map[string]look{"example.org": c.seen})
		if got := len(g.ask) == 1; got != c.want {
			t.Errorf("%s: asked %v, want %v", c.name, got, c.want)
		}
	}
}
