package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"rouse/store"
)

// Error is a failure of Redis, with its place, its cause and what to do.
type Error struct {
	Place  string // host:port
	Cause  error
	Remedy string // empty where we know none
}

func (e *Error) Error() string {
	if e.Remedy == "" {
		return fmt.Sprintf("redis %s: %v", e.Place, e.Cause)
	}
	return fmt.Sprintf("redis %s: %v (%s)", e.Place, e.Cause, e.Remedy)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Hint gives the remedy.
func (e *Error) Hint() string { return e.Remedy }

// explain adds place and remedy, and leaves alone what callers act on.
func explain(place string, err error) error {
	var known *Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrClosed),
		errors.Is(err, context.Canceled):
		return err
	}
	return &Error{place, err, remedy(err)}
}

// remedies are for what Redis answers, by its first word.
func remedies() []struct{ word, remedy string } {
	return []struct{ word, remedy string }{
		{"NOAUTH", "Redis wants a password: put user and password into store.url"},
		{"WRONGPASS", "user or password in store.url is not what Redis knows (ACL LIST there)"},
		{"NOPERM", "the Redis user may not do this: give it the rights listed in the documentation (ACL SETUSER)"},
		{"OOM", "Redis is full: raise maxmemory or move to a larger machine; maxmemory-policy must be noeviction"},
		{"MISCONF", "Redis cannot write to its disk: make room there, rouse goes on by itself"},
		{"READONLY", "this is a replica: name the master, or use Sentinel's or Cluster's addresses"},
		{"LOADING", "Redis is reading its data after a start: rouse goes on by itself"},
		{"CLUSTERDOWN", "a part of the cluster has no master: see CLUSTER NODES; rouse goes on by itself"},
		{"MASTERDOWN", "the replica has lost its master: see INFO replication there"},
		{"NOREPLICAS", "Redis wants more replicas than are connected (min-replicas-to-write)"},
		{"BUSY", "a script of somebody's runs for too long there: SCRIPT KILL ends it"},
		{"ERR WAITAOF", "store.durability = \"safe\" needs appendonly yes in redis.conf"},
		{"ERR max number of clients", "Redis takes no more connections: raise maxclients"},
		{"ERR This instance has cluster support disabled", "this Redis is no cluster: use redis:// instead of redis+cluster://"},
		{"ERR SELECT is not allowed", "a cluster has database 0 alone: take the number out of store.url"},
		{"MOVED", "this Redis is part of a cluster: use redis+cluster:// in store.url"},
	}
}

func remedy(err error) string {
	if answered(err) {
		for _, r := range remedies() {
			if says(err, r.word) {
				return r.remedy
			}
		}
		return ""
	}
	switch text := err.Error(); {
	case strings.Contains(text, "connection refused"), strings.Contains(text, "no such host"), strings.Contains(text, "i/o timeout"),
		errors.Is(err, context.DeadlineExceeded):
		return "is Redis running there, and reachable from here?"
	case strings.Contains(text, "tls: first record does not look like a TLS handshake"):
		return "this port speaks no TLS: use redis:// instead of rediss://"
	case strings.Contains(text, "x509:"):
		return "the certificate of Redis is not trusted here: name its authority"
	case errors.Is(err, errUnconfirmed):
		return "is a replica of it away, or its disk slow? It is stored where no failover happens, and safe to repeat"
	}
	return ""
}

// answered reports whether it is Redis that says so.
func answered(err error) bool {
	var e goredis.Error
	return errors.As(err, &e)
}

// says reports whether Redis answered with that word. Errors inside of scripts have
// it further in, where Redis is older than 7.
func says(err error, word string) bool {
	if !answered(err) {
		return false
	}
	text := err.Error()
	at := strings.Index(text, word)
	return at == 0 || at > 0 && (text[at-1] == '-' || text[at-1] == ' ' || text[at-1] == '\'')
}

func damagedOwner(name string, err error) error {
	return fmt.Errorf("key %q, field %q: %w", key(store.Shard(name), ownersName, ""), name, err)
}

// damaged tells of something stored that cannot be read.
func damaged(key string, err error) error {
	return fmt.Errorf("key %q: %w", key, err)
}
