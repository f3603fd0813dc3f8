package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"rouse/servers/lab"
)

func TestBenchFleet(t *testing.T) {
	redis, err := lab.StartRedis(t.Context(), lab.RedisOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	t.Run("SQLite", func(t *testing.T) { benchFleet(t, "") })
	t.Run("Redis", func(t *testing.T) { benchFleet(t, redis.URL()) })
}

func benchFleet(t *testing.T, url string) {
	b := fleetBench{bench: bench{n: 200, inflight: 100, repeats: 2, json: true, again: againInTest}, redis: url}
	if err := b.users("300, 100"); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := b.run(t.Context(), stdio{out: &out, err: &errs}); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	lines := json.NewDecoder(&out)
	for _, users := range []int{300, 100} {
		var got struct {
			Users  int     `json:"users"`
			N      int     `json:"n"`
			CPU    spread  `json:"cpu_us_per_event"`
			Ratio  float64 `json:"ratio"`
			Allocs spread  `json:"allocs_per_event"`
			Wakes  spread  `json:"wakes_per_event"`
			Rate   spread  `json:"events_per_second"`
			Script *spread `json:"redis_scripts_per_event"`
		}
		if err := lines.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Users != users || got.N != 200 || got.CPU.Median <= 0 || got.Allocs.Median <= 0 || got.Wakes.Median <= 0 || got.Rate.Median <= 0 {
			t.Errorf("%+v", got)
		}
		if (got.Script != nil) != (url != "") || got.Script != nil && got.Script.Median <= 0 {
			t.Errorf("scripts of Redis: %+v", got.Script)
		}
		if users == 100 && got.Ratio != 1 {
			t.Errorf("the smallest is %v times the smallest", got.Ratio)
		}
	}
	if err := lines.Decode(new(any)); err != io.EOF {
		t.Errorf("more than two sizes: %v", err)
	}
}

// A crowd of any size does the same things as often.
func TestCrowd(t *testing.T) {
	for _, users := range []int{100, 10_000} {
		c := newCrowd(users, 1)
		var text []byte
		for i := range 300 {
			text = c.batch(text, i*perBatch, c.any)
		}
		for _, kind := range []string{"<hibernated ", "<queued ", "<resumed "} {
			if n := strings.Count(string(text), kind); n < 9_700 || n > 10_300 {
				t.Errorf("%d users: %s%d times in 30,000", users, kind, n)
			}
		}
	}
}
