package web

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rouse/session"
)

// Counts is what the store holds.
type Counts struct {
	Sessions  map[session.State]int
	Endpoints map[EndpointKind]int
	Pending   int       // wakes that are owed
	OldestDue time.Time // due time of the oldest of them; zero: there is none
}

// EndpointKind says what is counted of endpoints.
type EndpointKind struct {
	Provider string // one of Labels.Providers; others are counted as "other"
	State    string // Live or Dead
}

// The states of an endpoint.
const (
	Live = "live"
	Dead = "dead"
)

// CountFunc asks the store. It has to keep to the deadline of ctx.
type CountFunc func(ctx context.Context) (Counts, error)

const (
	// CountAge is how old the counts that are shown may be.
	CountAge = 5 * time.Second
	// CountTimeout is how long a reader waits for the store.
	CountTimeout = time.Second
)

// countReader keeps eager scrapers and visitors away from the store: one question
// at a time, and failures are remembered as long as answers.
type countReader struct {
	count CountFunc

	mu    sync.Mutex
	asked time.Time
	last  Counts
	err   error
}

func (r *countReader) read() (Counts, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked.IsZero() || time.Since(r.asked) >= CountAge {
		// Not the asker's context: the answer is for everybody.
		ctx, cancel := context.WithTimeout(context.Background(), CountTimeout)
		defer cancel()
		r.last, r.err = r.count(ctx)
		r.asked = time.Now()
	}
	return r.last, r.err
}

// countCollector shows the counts as gauges. While the store does not answer they
// are NaN: a number would be a guess.
type countCollector struct {
	reader    *countReader
	providers []string
	outbox    *prometheus.Desc
	sessions  *prometheus.Desc
	endpoints *prometheus.Desc
}

func newCountCollector(r *countReader, providers []string) *countCollector {
	return &countCollector{
		reader:    r,
		providers: append(providers[:len(providers):len(providers)], other),
		outbox:    prometheus.NewDesc("rouse_outbox_depth", "Wakes that are owed and not yet accepted by a provider.", nil, nil),
		sessions:  prometheus.NewDesc("rouse_sessions", "Sessions, by state.", []string{"state"}, nil),
		endpoints: prometheus.NewDesc("rouse_endpoints", "Push endpoints, by provider and whether they can be woken.", []string{"provider", "state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *countCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.outbox
	ch <- c.sessions
	ch <- c.endpoints
}

// Collect implements prometheus.Collector.
func (c *countCollector) Collect(ch chan<- prometheus.Metric) {
	n, err := c.reader.read()
	gauge := func(desc *prometheus.Desc, value int, labels ...string) {
		v := float64(value)
		if err != nil {
			v = math.NaN()
		}
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.outbox, n.Pending)
	for s := range session.NumStates {
		gauge(c.sessions, n.Sessions[s], s.String())
	}
	endpoints := c.bounded(n.Endpoints)
	for _, p := range c.providers {
		for _, state := range []string{Live, Dead} {
			gauge(c.endpoints, endpoints[EndpointKind{p, state}], p, state)
		}
	}
}

// bounded adds up what has no label value of its own.
func (c *countCollector) bounded(n map[EndpointKind]int) map[EndpointKind]int {
	sums := make(map[EndpointKind]int, len(n))
	for k, count := range n {
		provider := other
		for _, p := range c.providers {
			if p == k.Provider {
				provider = p
			}
		}
		sums[EndpointKind{provider, k.State}] += count
	}
	return sums
}
