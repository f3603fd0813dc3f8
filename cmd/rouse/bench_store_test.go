package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/store"
)

func TestBenchStore(t *testing.T) {
	r, err := lab.StartRedis(t.Context(), lab.RedisOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for name, c := range map[string]struct {
		url   string
		paths []string
	}{"sqlite": {"", []string{pathRouse, "one commit each"}}, "redis": {r.URL(), []string{pathRouse, "SET", "EVALSHA"}}} {
		t.Run(name, func(t *testing.T) {
			b := storeBench{n: 300, repeats: 1, url: c.url, json: true}
			var out bytes.Buffer
			if err := b.run(t.Context(), stdio{out: &out}); err != nil {
				t.Fatal(err)
			}
			lines := json.NewDecoder(&out)
			for _, callers := range atOnce() {
				for _, path := range c.paths {
					var got struct {
						Path     string  `json:"path"`
						Inflight int     `json:"inflight"`
						Rate     float64 `json:"decisions_per_second"`
						Reads    float64 `json:"redis_reads_per_decision"`
						Commands float64 `json:"redis_commands_per_decision"`
					}
					if err := lines.Decode(&got); err != nil {
						t.Fatal(err)
					}
					if got.Path != path || got.Inflight != callers || got.Rate <= 0 {
						t.Errorf("%+v", got)
					}
					// One that warms up may load its owner once, and so may each caller.
					if most := 1 + float64(callers)/300 + 0.01; c.url != "" && (got.Commands < 1 || got.Commands > most || got.Reads <= 0) {
						t.Errorf("%+v: at most %.2f commands", got, most)
					}
				}
			}
		})
	}
	// It leaves nothing but sums of nothing, and measures nobody's store.
	for _, pattern := range []string{"*user*", "*bench*", "{*}o"} {
		if left, err := r.Do(t.Context(), "KEYS", pattern); err != nil || len(left.([]any)) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	if _, err := r.Do(t.Context(), "SET", fmt.Sprintf("{%d}m:x", store.Shard("x")), "y"); err != nil {
		t.Fatal(err)
	}
	b := storeBench{n: 10, repeats: 1, url: r.URL()}
	if err := b.run(t.Context(), stdio{out: &bytes.Buffer{}}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("bench of a store in use: %v", err)
	}
}
