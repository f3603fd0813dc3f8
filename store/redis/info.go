package redis

import (
	"context"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// info is what a Redis says of itself.
type info struct {
	version  string
	runID    string // new at each start
	mode     string // standalone, cluster or sentinel
	role     string // master or slave
	replicas int    // that follow it: connected, and past their first copy
	promoted bool   // it was a replica once, and became a master
	backlog  bool   // it had replicas in the last hour, or was one
}

// look asks a Redis how it is. Redis 6 takes one section at a time.
func look(ctx context.Context, c *goredis.Client) (info, error) {
	p := c.Pipeline()
	server, replication := p.Info(ctx, "server"), p.Info(ctx, "replication")
	if _, err := p.Exec(ctx); err != nil {
		return info{}, err
	}
	s, r := infoFields(server.Val()), infoFields(replication.Val())
	replicas := 0
	for name, value := range r {
		if strings.HasPrefix(name, "slave") && strings.Contains(value, "state=online") {
			replicas++
		}
	}
	return info{
		version: s["redis_version"], runID: s["run_id"], mode: s["redis_mode"], role: r["role"], replicas: replicas,
		promoted: strings.Trim(r["master_replid2"], "0") != "", // the history it took over
		backlog:  r["repl_backlog_active"] == "1",
	}, nil
}

// infoFields reads the answer of INFO.
func infoFields(text string) map[string]string {
	out := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if found {
			out[name] = value
		}
	}
	return out
}

// atLeast compares versions like 7.0.15 by their first two numbers.
func atLeast(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	b, _, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x > major || x == major && y >= minor
}
