package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func TestSecretIsNotShown(t *testing.T) {
	s := NewSecret("hunter2")
	type nest struct {
		Open   Secret
		hidden Secret
		list   []Secret
	}
	n := nest{s, s, []Secret{s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T", "%20s"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", n)
		fmt.Fprintf(&out, verb+"\n", &n)
	}
	fmt.Fprintln(&out, s, n, n.list, fmt.Errorf("with %v", s))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "s", s, "p", &s, "n", n, "m", map[string]any{"s": s})
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, toml.Marshal, xml.Marshal} {
		b, err := marshal(struct{ S Secret }{s})
		if err == nil && !bytes.Contains(b, []byte(hidden)) {
			t.Errorf("marshalled to %q", b)
		}
		out.Write(b)
	}
	for _, leak := range []string{"hunter2", "68756e74657232"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in:\n%s", leak, out.String())
		}
	}
	if s.Reveal() != "hunter2" || s.IsZero() || s.String() != hidden || s.GoString() != hidden {
		t.Error("the text is lost")
	}
	if e := NewSecret(""); !e.IsZero() || e.Reveal() != "" || e.String() != hidden {
		t.Error("the empty text is not the zero Secret")
	}
}
