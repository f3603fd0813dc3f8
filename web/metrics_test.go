package web

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"rouse/session"
)

var testLabels = Labels{
	Version:   "1.2.3",
	Rules:     []string{"", "a1", "b'"},
	Outcomes:  []string{"delivered", "token-gone"},
	Providers: []string{"apns", "fcm"},
	StoreOps:  []string{"commit", "load"},
	Apps:      []App{{"chat-ios", "apns"}, {"chat-android", "fcm"}},
}

func nothing(context.Context) (Counts, error) { return Counts{}, nil }

func newTestMetrics(t *testing.T, count CountFunc) (*Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	return NewMetrics(registry, testLabels, count), registry
}

// series gives every series of a metric as "label=value label=value", with its value:
// for histograms the number of observations.
func series(t *testing.T, registry prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			out[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

// TestEverythingIsThereFromTheStart: the names are a promise to those who watch.
func TestEverythingIsThereFromTheStart(t *testing.T) {
	_, registry := newTestMetrics(t, nothing)
	for name, want := range map[string]int{
		"rouse_component_connected": 1,
		"rouse_events_total":        len(session.Kinds()) + 4, // publish, gone, renew and other
		"rouse_decisions_total":     3*len(session.Verdicts()) + 1,
		"rouse_wakes_total":         3 * 3, // two apps and other, two outcomes and other
		"rouse_wake_seconds":        1,
		"rouse_outbox_depth":        1,
		"rouse_sessions":            int(session.NumStates),
		"rouse_endpoints":           3 * 2,
		"rouse_store_seconds":       3,
		"rouse_unknown_nodes_total": 1,
	} {
		all := series(t, registry, name)
		if len(all) != want {
			t.Errorf("%s has %d series, want %d: %v", name, len(all), want, all)
		}
		for labels, v := range all {
			if v != 0 {
				t.Errorf("%s{%s} starts at %v", name, labels, v)
			}
		}
	}
	for _, name := range []string{"rouse_build_info", "go_goroutines", "process_start_time_seconds"} {
		if len(series(t, registry, name)) != 1 {
			t.Errorf("%s is missing", name)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

func TestCounting(t *testing.T) {
	m, registry := newTestMetrics(t, nothing)
	m.Event(session.Bind)
	m.Event(session.Publish)
	m.Event("made-up")
	m.Event("made-up-2")
	m.Decision("", session.Quiet)
	m.Decision("a1", session.Woke)
	m.Decision("z9", session.Woke)
	m.Decision("a1", "made-up")
	m.Wake("apns", "chat-ios", "delivered")
	m.Wake("apns", "chat-ios", "made-up")
	m.Wake("apns", "chat-late", "delivered")
	m.AddApps([]App{{"chat-late", "apns"}})
	m.Wake("apns", "chat-late", "delivered")
	m.Wake("apns", "chat-ios", "delivered")
	m.WakeLatency(2 * time.Second)
	m.StoreOp("commit", time.Millisecond)
	m.StoreOp("made-up", time.Millisecond)
	m.ComponentUp(true)
	for name, want := range map[string]map[string]float64{
		"rouse_events_total":        {"kind=bind": 1, "kind=publish": 1, "kind=other": 2, "kind=csi": 0},
		"rouse_decisions_total":     {"rule=none verdict=quiet": 1, "rule=a1 verdict=wake": 1, "rule=other verdict=other": 2, "rule=b' verdict=wake": 0},
		"rouse_wake_seconds":        {"": 1},
		"rouse_store_seconds":       {"op=commit": 1, "op=other": 1, "op=load": 0},
		"rouse_component_connected": {"": 1},
		"rouse_wakes_total": {
			"app=chat-ios outcome=delivered provider=apns": 2, "app=chat-ios outcome=other provider=apns": 1,
			"app=other outcome=other provider=other": 1, "app=chat-late outcome=delivered provider=apns": 1,
			"app=chat-android outcome=delivered provider=fcm": 0,
		},
	} {
		got := series(t, registry, name)
		for labels, v := range want {
			if g, ok := got[labels]; !ok || g != v {
				t.Errorf("%s{%s} = %v, want %v", name, labels, g, v)
			}
		}
	}
	m.ComponentUp(false)
	if got := series(t, registry, "rouse_component_connected")[""]; got != 0 {
		t.Errorf("connected = %v after the link went", got)
	}
}

func TestGaugesComeFromTheStore(t *testing.T) {
	_, registry := newTestMetrics(t, func(context.Context) (Counts, error) {
		return Counts{
			Sessions:  map[session.State]int{session.Active: 3, session.Hibernated: 1},
			Endpoints: map[EndpointKind]int{{"apns", Live}: 5, {"fcm", Dead}: 2, {"relay", Live}: 7, {"moon", Live}: 1},
			Pending:   4,
		}, nil
	})
	for name, want := range map[string]map[string]float64{
		"rouse_outbox_depth": {"": 4},
		"rouse_sessions":     {"state=active": 3, "state=inactive": 0, "state=delayed": 0, "state=hibernated": 1},
		"rouse_endpoints": {"provider=apns state=live": 5, "provider=apns state=dead": 0, "provider=fcm state=live": 0,
			"provider=fcm state=dead": 2, "provider=other state=live": 8, "provider=other state=dead": 0},
	} {
		got := series(t, registry, name)
		if len(got) != len(want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		for labels, v := range want {
			if got[labels] != v {
				t.Errorf("%s{%s} = %v, want %v", name, labels, got[labels], v)
			}
		}
	}
}

// TestStoreIsAskedSeldom: answers and failures are kept for CountAge, and a store
// that hangs holds a scrape for no longer than CountTimeout.
func TestStoreIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, hang := 0, false
		m, registry := newTestMetrics(t, func(ctx context.Context) (Counts, error) {
			asked++
			if hang {
				<-ctx.Done()
				return Counts{}, ctx.Err()
			}
			return Counts{Pending: asked}, nil
		})
		depth := func() float64 { return series(t, registry, "rouse_outbox_depth")[""] }
		for range 3 {
			if d := depth(); d != 1 {
				t.Errorf("depth %v, want 1", d)
			}
		}
		time.Sleep(CountAge)
		if d := depth(); d != 2 || asked != 2 {
			t.Errorf("depth %v after %d questions, want 2 after 2", d, asked)
		}
		hang = true
		time.Sleep(CountAge)
		before := time.Now()
		if d := depth(); !math.IsNaN(d) {
			t.Errorf("depth %v while the store hangs, want NaN", d)
		}
		if took := time.Since(before); took != CountTimeout {
			t.Errorf("a scrape took %v, want %v", took, CountTimeout)
		}
		if _, err := m.counts.read(); !errors.Is(err, context.DeadlineExceeded) || asked != 3 {
			t.Errorf("error %v after %d questions: the failure was not kept", err, asked)
		}
		hang = false
		time.Sleep(CountAge)
		if d := depth(); d != 4 {
			t.Errorf("depth %v when the store is back, want 4", d)
		}
	})
}
