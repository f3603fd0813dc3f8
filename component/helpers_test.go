package component_test

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"

	"go.uber.org/goleak"

	"rouse/component"
	"rouse/component/componenttest"
	"rouse/component/stanza"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// config returns what a component needs to live on s through pipes.
func config(s *componenttest.Server) component.Config {
	return component.Config{
		JID:       jid.MustParse("push.example.org"),
		Addresses: []string{s.Address()},
		Secret:    component.StaticSecret(componenttest.Secret),
		Dial:      s.Dial,
	}
}

func newComponent(t *testing.T, cfg component.Config) *component.Component {
	t.Helper()
	c, err := component.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks an answer of type error.
func wantError(t *testing.T, e stanza.Element, typ xmpp.ErrorType, c xmpp.Condition) {
	t.Helper()
	if got := stanza.ErrorOf(&e); e.Get("type") != "error" || got.Type != typ || got.Condition != c {
		t.Errorf("got %s, want %s %s", stanza.AppendElement(nil, e), typ, c)
	}
}

// record keeps a log.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
