package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rouse/notice"
)

// memory is an outbox.
type memory struct {
	waiting   []Event
	delivered map[string][]string
}

func (m *memory) Waiting(_ context.Context, most int) ([]Event, error) {
	return slices.Clone(m.waiting[:min(most, len(m.waiting))]), nil
}
func (m *memory) Done(_ context.Context, n int64) error {
	m.waiting = slices.DeleteFunc(m.waiting, func(e Event) bool { return e.N == n })
	return nil
}
func (m *memory) Delivered(_ context.Context, id string) ([]string, error) {
	return m.delivered[id], nil
}
func (m *memory) Deliver(_ context.Context, id, address string, _ time.Time) error {
	m.delivered[id] = append(m.delivered[id], address)
	return nil
}

func disabled(n int) Event {
	return Event{N: int64(n), You: "You.", People: []Person{{Name: "juliet", Address: "juliet@x"}, {Name: "host", Why: "is no user"}},
		Notice: notice.Notice{ID: fmt.Sprint("id", n), Kind: "user.disabled", Text: "They."}}
}

// TestEachOnce: who was told before a crash, or stands twice in the list, is told once;
// what fails is tried again without telling the others again; who cannot be told holds
// up nobody.
func TestEachOnce(t *testing.T) {
	for _, c := range []struct {
		name    string
		waiting []Event
		before  map[string][]string
		fails   map[string][]error // by address, the first times
		admins  []string
		except  []string
		want    string
	}{
		{name: "the person and administrators", waiting: []Event{disabled(1)}, admins: []string{"a@x", "b@x"}, want: "juliet@x You. a@x They. b@x They."},
		{name: "an administrator is told as the person", waiting: []Event{disabled(1)}, admins: []string{"juliet@x"}, want: "juliet@x You."},
		{name: "some were told before a crash", waiting: []Event{disabled(1)}, admins: []string{"a@x"}, before: map[string][]string{"id1": {"juliet@x"}}, want: "a@x They."},
		{name: "again after a failure, in order", waiting: []Event{disabled(1), disabled(2)}, admins: []string{"a@x"}, fails: map[string][]error{"a@x": {errors.New("no answer"), errors.New("no answer")}},
			want: "juliet@x You. a@x They. juliet@x You. a@x They."},
		{name: "nobody there", waiting: []Event{disabled(1)}, admins: []string{"a@x"}, fails: map[string][]error{"juliet@x": {fmt.Errorf("%w: no server", notice.ErrUndeliverable)}}, want: "a@x They."},
		{name: "of no interest", waiting: []Event{disabled(1)}, admins: []string{"a@x"}, except: []string{"user.*"}, want: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &memory{waiting: c.waiting, delivered: maps.Clone(c.before)}
				if m.delivered == nil {
					m.delivered = map[string][]string{}
				}
				var got []string
				ready := false
				d := New(Config{Outbox: m, Ready: func() bool { return ready }, Admins: func() []string { return c.admins }, Except: c.except, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
					Send: func(_ context.Context, n notice.Notice, to string) error {
						if f := c.fails[to]; len(f) > 0 {
							c.fails[to] = f[1:]
							return f[0]
						}
						got = append(got, to, n.Text)
						return nil
					}})
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- d.Run(ctx) }()
				time.Sleep(time.Minute)
				if len(got) != 0 {
					t.Errorf("told without a link: %q", got)
				}
				ready = true
				d.Poke()
				time.Sleep(time.Minute)
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if text := strings.Join(got, " "); text != c.want {
					t.Errorf("told %q, want %q", text, c.want)
				}
				if len(m.waiting) != 0 {
					t.Errorf("%d still wait", len(m.waiting))
				}
			})
		})
	}
}
