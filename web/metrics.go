package web

import (
	"maps"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"rouse/session"
)

// other counts what no known label value stands for.
const other = "other"

// App is an app that wakes go out for, as metrics and the overview name it.
type App struct {
	Name     string
	Provider string
}

// Labels are the label values that can occur.
type Labels struct {
	Version   string   // of this build
	Rules     []string // empty for no rule: shown as "none"
	Outcomes  []string
	Providers []string // of endpoints
	StoreOps  []string
	Apps      []App
}

// Metrics are all metrics of rouse. The methods may be called from anywhere and
// do not block.
type Metrics struct {
	registry  *prometheus.Registry
	outcomes  []string
	counts    *countReader
	connected prometheus.Gauge
	events    map[session.Kind]prometheus.Counter
	decisions map[decision]prometheus.Counter
	unknown   prometheus.Counter
	wakesVec  *prometheus.CounterVec
	wakes     atomic.Pointer[map[wake]prometheus.Counter] // replaced when the apps change
	notices   *prometheus.CounterVec                      // nil: nobody is told of anything
	limited   prometheus.Counter
	latency   prometheus.Histogram
	storeOps  map[string]prometheus.Observer
}

type decision struct {
	rule    string
	verdict session.Verdict
}

type wake struct{ provider, app, outcome string }

// Buckets in seconds. A wake is fast, or held for coalescing, or retried.
var (
	wakeBuckets  = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	storeBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5}
)

// NewMetrics registers every metric with a registry that has none of them yet.
// The function count is asked when somebody looks, at most every CountAge.
func NewMetrics(registry *prometheus.Registry, l Labels, count CountFunc) *Metrics {
	m := &Metrics{
		registry:  registry,
		outcomes:  append(l.Outcomes[:len(l.Outcomes):len(l.Outcomes)], other),
		counts:    &countReader{count: count},
		events:    make(map[session.Kind]prometheus.Counter),
		decisions: make(map[decision]prometheus.Counter),
		storeOps:  make(map[string]prometheus.Observer),
	}
	m.connected = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "rouse_component_connected",
		Help: "Whether the link to the XMPP server is up (1) or not (0)."})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rouse_events_total",
		Help: "Events that were taken, by kind."}, []string{"kind"})
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rouse_decisions_total",
		Help: "Decisions about an endpoint or an account, by the rule that spoke and what it said."}, []string{"rule", "verdict"})
	m.unknown = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "rouse_unknown_nodes_total",
		Help: "Times that a node which was issued here was not in the store: it was lost, or is an older copy."})
	m.wakesVec = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rouse_wakes_total",
		Help: "Tries to deliver a wake, by provider, app and what came of it."}, []string{"provider", "app", "outcome"})
	m.limited = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "rouse_publishes_limited_total",
		Help: "Publishes and registrations that were answered wait because their sender did more than it may."})
	m.latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "rouse_wake_seconds",
		Help:    "Time from the first event that a wake stands for to the answer of the provider.",
		Buckets: wakeBuckets})
	storeSeconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "rouse_store_seconds",
		Help:    "Time that the store took, by operation.",
		Buckets: storeBuckets}, []string{"op"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "rouse_build_info",
		Help:        "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": l.Version}})
	build.Set(1)
	registry.MustRegister(m.connected, events, decisions, m.unknown, m.wakesVec, m.limited, m.latency, storeSeconds, build,
		newCountCollector(m.counts, l.Providers),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	for _, k := range append(session.Kinds(), session.Publish, session.Gone, session.Renew, other) {
		m.events[k] = events.WithLabelValues(string(k))
	}
	for _, r := range l.Rules {
		for _, v := range session.Verdicts() {
			m.decisions[decision{r, v}] = decisions.WithLabelValues(ruleLabel(r), string(v))
		}
	}
	m.decisions[decision{other, other}] = decisions.WithLabelValues(other, other)
	for _, op := range append(l.StoreOps[:len(l.StoreOps):len(l.StoreOps)], other) {
		m.storeOps[op] = storeSeconds.WithLabelValues(op)
	}
	m.wakes.Store(&map[wake]prometheus.Counter{})
	m.AddApps([]App{{Name: other, Provider: other}})
	m.AddApps(l.Apps)
	return m
}

// ruleLabel names the absence of a rule: to Prometheus an empty label is none.
func ruleLabel(rule string) string {
	if rule == "" {
		return "none"
	}
	return rule
}

// AddApps makes apps known that came with another configuration. What was counted
// for apps that went stays. One caller at a time.
func (m *Metrics) AddApps(apps []App) {
	known := maps.Clone(*m.wakes.Load())
	for _, a := range apps {
		for _, o := range m.outcomes {
			known[wake{a.Provider, a.Name, o}] = m.wakesVec.WithLabelValues(a.Provider, a.Name, o)
		}
	}
	m.wakes.Store(&known)
}

// ComponentUp says whether the link to the XMPP server is up.
func (m *Metrics) ComponentUp(up bool) {
	if up {
		m.connected.Set(1)
	} else {
		m.connected.Set(0)
	}
}

// Fleet has metrics tell whether this process is the one that may have the link,
// and how many processes share the store. To be called once.
func (m *Metrics) Fleet(held func() bool, processes func() int) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rouse_link_held",
			Help: "Whether this process is the one that may have the link (1), or stands by (0).",
		}, func() float64 {
			if held() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rouse_processes",
			Help: "Processes that share the store, as far as this one knows.",
		}, func() float64 { return float64(processes()) }))
}

// Notices adds what people are told, by context and what came of it: told, again or
// failed. waiting counts what is to be told, -1 if that cannot be read.
func (m *Metrics) Notices(contexts []string, waiting func() int) {
	notices := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rouse_notices_total",
		Help: "Tries to tell somebody of something, by context and what came of it."}, []string{"context", "outcome"})
	for _, c := range contexts {
		for _, outcome := range []string{"told", "again", "failed"} {
			notices.WithLabelValues(c, outcome)
		}
	}
	m.notices = notices
	m.registry.MustRegister(notices, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rouse_notices_waiting",
		Help: "Deliveries of notices that are not made yet."}, func() float64 {
		if n := waiting(); n >= 0 {
			return float64(n)
		}
		return math.NaN()
	}))
}

// Notice counts a try to tell somebody.
func (m *Metrics) Notice(context, outcome string) {
	if m.notices != nil {
		m.notices.WithLabelValues(context, outcome).Inc()
	}
}

// Directory adds whether a directory is followed.
func (m *Metrics) Directory(followed func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "rouse_directory_followed",
		Help: "Whether the directory is followed (1) or not (0)."}, func() float64 {
		if followed() {
			return 1
		}
		return 0
	}))
}

// Certificates has metrics tell when those of the apps end. To be called once.
func (m *Metrics) Certificates(ends map[string]time.Time) {
	gauge := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "rouse_certificate_expires_timestamp_seconds",
		Help: "When the certificate of an app ends, in seconds since 1970; apps without one have none."}, []string{"app"})
	for app, end := range ends {
		gauge.WithLabelValues(app).Set(float64(end.Unix()))
	}
	m.registry.MustRegister(gauge)
}

// Event counts an event that was taken.
func (m *Metrics) Event(kind session.Kind) { known(m.events, kind, other).Inc() }

// Decision counts what a rule said.
func (m *Metrics) Decision(rule string, v session.Verdict) {
	known(m.decisions, decision{rule, v}, decision{other, other}).Inc()
}

// UnknownNode counts a node of ours that the store does not know.
func (m *Metrics) UnknownNode() { m.unknown.Inc() }

// Limited counts a publish or a registration that was refused for its sender's rate.
func (m *Metrics) Limited() { m.limited.Inc() }

// Wake counts one try to deliver a wake.
func (m *Metrics) Wake(provider, app, outcome string) {
	counters := *m.wakes.Load()
	fallback := wake{provider, app, other}
	if _, ok := counters[fallback]; !ok {
		fallback = wake{other, other, other}
	}
	known(counters, wake{provider, app, outcome}, fallback).Inc()
}

// WakeLatency takes the time from event to the provider's answer.
func (m *Metrics) WakeLatency(d time.Duration) { m.latency.Observe(d.Seconds()) }

// StoreOp takes the time that the store took for an operation.
func (m *Metrics) StoreOp(op string, d time.Duration) {
	known(m.storeOps, op, other).Observe(d.Seconds())
}

func known[K comparable, V any](m map[K]V, key, fallback K) V {
	if v, ok := m[key]; ok {
		return v
	}
	return m[fallback]
}
