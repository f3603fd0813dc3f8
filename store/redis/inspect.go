package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rouse/store"
)

// Level is how bad a finding is.
type Level int

const (
	Fine Level = iota
	Warning
	Failure
)

// Finding is one thing that Inspect saw.
type Finding struct {
	Level  Level
	Place  string // host:port
	What   string
	Remedy string // empty where nothing is to be done
}

// Inspect looks at a Redis before it is used, for `rouse check`, and changes
// nothing. Errors mean that it could not be asked at all.
func Inspect(ctx context.Context, o Options) ([]Finding, error) {
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	masters, err := s.masters()
	if err != nil {
		return nil, err
	}
	i := &inspection{s: s}
	for _, n := range masters {
		if err := i.node(ctx, n); err != nil {
			return nil, explain(n.addr, err)
		}
	}
	return i.found, nil
}

type inspection struct {
	s     *Store
	found []Finding
}

func (i *inspection) add(level Level, n *node, remedy, what string, args ...any) {
	i.found = append(i.found, Finding{level, n.addr, fmt.Sprintf(what, args...), remedy})
}

func (i *inspection) node(ctx context.Context, n *node) error {
	in, err := look(ctx, n.client)
	if err != nil {
		return err
	}
	memory, err := n.client.Info(ctx, "memory").Result()
	if err != nil {
		return err
	}
	i.add(Fine, n, "", "Redis %s, %s of memory in use", in.version, infoFields(memory)["used_memory_human"])
	if !atLeast(in.version, 6, 2) {
		i.add(Failure, n, "install Redis 6.2 or newer", "Redis %s is too old", in.version)
	}
	if in.role != "master" {
		i.add(Failure, n, "name the master, or use Sentinel's or Cluster's addresses", "this Redis is a replica and cannot be written to")
	}
	if in.mode == "cluster" && i.s.o.Mode != Cluster {
		i.add(Failure, n, "use redis+cluster:// in store.url", "this Redis is part of a cluster")
		return nil
	}
	if in.role == "master" && in.replicas == 0 {
		i.add(Warning, n, "add a replica, with Sentinel or Cluster to make it master", "no replica is connected: when this machine is lost, so is the state")
	}
	if err := i.keys(ctx, n); err != nil {
		return err
	}
	return i.config(ctx, n, in)
}

// keys looks whose they are.
func (i *inspection) keys(ctx context.Context, n *node) error {
	foreign, err := foreignKey(ctx, n)
	if err != nil {
		return err
	}
	if foreign != "" {
		i.add(Failure, n, foreignRemedy, "%v: %q", errForeign, foreign)
	}
	format, err := i.s.format(ctx)
	if err != nil || format == "" {
		return err
	}
	var e *Error
	if err := i.s.readable(format); errors.Is(err, store.ErrNewer) && errors.As(err, &e) {
		i.add(Failure, n, e.Remedy, "%v", e.Cause)
	} else if errors.As(err, &e) && foreign == "" {
		i.add(Failure, n, e.Remedy, "%v", e.Cause)
	}
	return nil
}

// config looks at redis.conf, where the user may.
func (i *inspection) config(ctx context.Context, n *node, in info) error {
	setting := make(map[string]string)
	for _, name := range []string{"maxmemory-policy", "maxmemory", "appendonly", "appendfsync"} {
		got, err := n.client.ConfigGet(ctx, name).Result()
		if says(err, "NOPERM") || says(err, "ERR unknown command") {
			i.add(Warning, n, "give the user +config|get for this, or look there: maxmemory-policy noeviction, appendonly yes", "the settings of Redis cannot be read")
			return nil
		}
		if err != nil {
			return err
		}
		setting[name] = strings.ToLower(got[name])
	}
	if policy := setting["maxmemory-policy"]; policy != "noeviction" {
		i.add(Failure, n, "set maxmemory-policy noeviction", "maxmemory-policy is %s: when Redis is full it throws away accounts and wakes", policy)
	}
	fsync := setting["appendfsync"]
	switch {
	case setting["appendonly"] != "yes":
		i.disk(n, "set appendonly yes", "appendonly is %s: a restart of Redis loses what was written since the last snapshot", setting["appendonly"])
	case fsync == "no":
		i.disk(n, "set appendfsync always, or everysec with Redis 7.2", "appendfsync is no: a power cut loses what the kernel had not written")
	case fsync != "always" && !atLeast(in.version, 7, 2):
		i.disk(n, "set appendfsync always, or run Redis 7.2, which can be asked to wait for the disk", "appendfsync is %s: a power cut loses up to a second", fsync)
	}
	return nil
}

// disk is something that store.durability decides about.
func (i *inspection) disk(n *node, remedy, what string, args ...any) {
	level := Warning
	if i.s.o.Durability == Safe {
		level = Failure
		remedy += `, or store.durability = "fast"`
	}
	i.add(level, n, remedy, what, args...)
}
