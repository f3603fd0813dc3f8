package redis

import (
	"context"
	"errors"
	"strings"
	"testing"

	"rouse/servers/lab"
	"rouse/store"
)

// What is wrong with a Redis: Inspect tells all of it, with a remedy, and Open refuses
// what would cost state.
func TestInspect(t *testing.T) {
	well := []lab.RedisUser{{Name: "curious", Password: "hunter2", Rules: rights(t, "+config|get")}}
	for name, test := range map[string]struct {
		redis   func(*lab.RedisOptions)
		before  [][]string // commands
		options func(*Options)
		finds   []string // a level, and words of what is said
		refuses string   // words of what Open says; "": it opens
	}{
		"well": {finds: []string{"0 Redis 7.", "1 no replica is connected"}},
		"evicts": {redis: func(o *lab.RedisOptions) { o.MaxMemoryPolicy = "allkeys-lru" },
			finds: []string{"2 maxmemory-policy is allkeys-lru", "set maxmemory-policy noeviction"}},
		"evicts what expires": {redis: func(o *lab.RedisOptions) { o.MaxMemoryPolicy = "volatile-ttl" },
			finds: []string{"2 maxmemory-policy is volatile-ttl"}},
		"no file": {redis: inMemory,
			finds: []string{"2 appendonly is no", `store.durability = "fast"`}},
		"no file, and fast": {redis: inMemory, options: func(o *Options) { o.Durability = Fast },
			finds: []string{"1 appendonly is no"}},
		"a second": {redis: func(o *lab.RedisOptions) { o.Persist = "everysec" },
			finds: []string{"2 appendfsync is everysec", "set appendfsync always, or run Redis 7.2"}},
		"a second, and fast": {redis: func(o *lab.RedisOptions) { o.Persist = "everysec" }, options: func(o *Options) { o.Durability = Fast },
			finds: []string{"1 appendfsync is everysec"}},
		"never": {redis: func(o *lab.RedisOptions) { o.Persist = "no" },
			finds: []string{"2 appendfsync is no"}},
		"newer": {before: [][]string{{"SET", "{0}format", "rouse 2"}},
			finds: []string{"2 format 2, known is 1", "start the newer rouse"}, refuses: "format 2, known is 1"},
		"somebody else's": {before: [][]string{{"SET", "celery", "x"}},
			finds: []string{`2 the database holds keys that are not rouse's: "celery"`, "another database"}, refuses: `"celery"`},
		"somebody else's format": {before: [][]string{{"SET", "{0}format", "tiles 4"}},
			finds: []string{`2 the database holds keys that are not rouse's: {0}format is "tiles 4"`}, refuses: `"tiles 4"`},
		"may not ask": {redis: user(t), options: asUser,
			finds: []string{"1 the settings of Redis cannot be read", "+config|get"}},
		"may ask": {redis: func(o *lab.RedisOptions) { o.Password, o.Users = "admin", well }, options: func(o *Options) { o.Username, o.Password = "curious", "hunter2" },
			finds: []string{"0 Redis 7.", "1 no replica is connected"}},
		"may not write": {redis: func(o *lab.RedisOptions) {
			o.Password, o.Users = "admin", []lab.RedisUser{{Name: "rouse", Password: "hunter2", Rules: "~* -@all +@read +info +evalsha +eval"}}
		}, options: asUser,
			finds: []string{"2 the user may not do all that rouse does", "ACL SETUSER"}, refuses: "ACL SETUSER"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.redis == nil {
				test.redis = func(*lab.RedisOptions) {}
			}
			server := start(t, test.redis)
			for _, command := range test.before {
				if _, err := server.Do(t.Context(), command...); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{Addrs: []string{server.Addr()}}
			if test.options != nil {
				test.options(&o)
			}
			finds(t, o, test.finds...)
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
			}
			if text := errText(err); (err == nil) != (test.refuses == "") || !strings.Contains(text, test.refuses) || err != nil && !strings.Contains(text, server.Addr()) {
				t.Errorf("Open: %v; want %q", err, test.refuses)
			}
			if newer := errors.Is(err, store.ErrNewer); newer != (name == "newer") {
				t.Errorf("Open: %v; is it ErrNewer? %v", err, newer)
			}
		})
	}
}

// finds wants each of these to be said, and nothing worse than what is named.
func finds(t *testing.T, o Options, want ...string) {
	t.Helper()
	found, err := Inspect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	worst := Fine
	for _, f := range found {
		lines = append(lines, string('0'+rune(f.Level))+" "+f.What+" | "+f.Remedy)
		worst = max(worst, f.Level)
		if f.Place == "" || f.Level != Fine && f.Remedy == "" {
			t.Errorf("without a place, or a remedy: %+v", f)
		}
	}
	all := strings.Join(lines, "\n")
	worstWanted := Fine
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("not said: %q in\n%s", w, all)
		}
		for l := Warning; l <= Failure; l++ {
			if strings.HasPrefix(w, string('0'+rune(l))+" ") {
				worstWanted = max(worstWanted, l)
			}
		}
	}
	if worstWanted == Fine {
		worstWanted = Warning // no replica
	}
	if worst > worstWanted {
		t.Errorf("worse than expected:\n%s", all)
	}
}

// A replica, and a Redis of a cluster, are not where a store is.
func TestInspectPlaces(t *testing.T) {
	master := start(t)
	replica := start(t, func(o *lab.RedisOptions) { o.ReplicaOf = master.Redis })
	for _, s := range []struct {
		server *server
		want   string
		opens  bool
	}{{replica, "2 this Redis is a replica and cannot be written to", false}, {master, "0 Redis", true}} {
		o := Options{Addrs: []string{s.server.Addr()}}
		finds(t, o, s.want)
		st, err := Open(t.Context(), o)
		if err == nil {
			st.Close()
		}
		if (err == nil) != s.opens {
			t.Errorf("Open: %v", err)
		}
	}
	c := startCluster(t, 3, 0, lab.RedisOptions{Persist: "always"})
	o := Options{Addrs: c.Addrs()[:1]}
	finds(t, o, "2 this Redis is part of a cluster", "redis+cluster://")
	if _, err := Open(t.Context(), o); !strings.Contains(errText(err), "redis+cluster://") {
		t.Errorf("Open: %v", err)
	}
	o.Mode = Cluster
	finds(t, o, "0 Redis")
	if _, err := Open(t.Context(), Options{Addrs: []string{master.Addr()}, Mode: Cluster}); !strings.Contains(errText(err), "use redis:// instead") {
		t.Errorf("Open: %v", err)
	}
}

// Nobody listens, or no Sentinel knows the name: told at once, with the place.
func TestOpenInVain(t *testing.T) {
	nowhere := nobodyListens(t)
	for _, o := range []Options{{Addrs: []string{nowhere}}, {Addrs: []string{nowhere}, Mode: Cluster}, {Addrs: []string{nowhere}, Mode: Sentinel, MasterName: "m"}} {
		_, err := Open(t.Context(), o)
		if text := errText(err); !strings.Contains(text, nowhere) || !strings.Contains(text, "is Redis running there") {
			t.Errorf("Open: %v", err)
		}
	}
	w := startSentinels(t)
	if _, err := Open(t.Context(), Options{Addrs: w.Addrs(), Mode: Sentinel, MasterName: "other"}); !strings.Contains(errText(err), `it watches no master "other"`) {
		t.Errorf("Open: %v", err)
	}
	finds(t, Options{Addrs: w.Addrs(), Mode: Sentinel, MasterName: "rouse"}, "0 Redis", "1 min-replicas-to-write is 0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Options{Addrs: []string{nowhere}}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v", err)
	}
}
