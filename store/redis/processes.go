package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rouse/store"
)

// Announce notes that a process lives, by the store's clock.
func (s *Store) Announce(ctx context.Context, p store.Process, silence time.Duration) ([]store.Process, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	r, err := s.run(ctx, call{script: "announce", write: true,
		keys: []string{key(0, processesName, ""), key(0, aliveName, ""), key(0, toldKind, versionText(s.version()))},
		args: []any{p.ID, text, silence.Milliseconds()}})
	if err != nil {
		return nil, err
	}
	return parseProcesses(r.value)
}

func parseProcesses(value any) ([]store.Process, error) {
	list, err := texts(value)
	if err != nil {
		return nil, err
	}
	var out []store.Process
	for _, text := range list {
		var p store.Process
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return nil, damaged(key(0, processesName, ""), err)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b store.Process) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// Depart takes a process off the list, and lets go of its leases.
func (s *Store) Depart(ctx context.Context, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	_, err := s.run(ctx, call{script: "depart", write: true, args: []any{id},
		keys: []string{key(0, processesName, ""), key(0, aliveName, ""), key(0, leasesName, "")}})
	return err
}

// Inherited has nobody told of a process any more that is gone.
func (s *Store) Inherited(ctx context.Context, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	_, err := s.run(ctx, call{script: "inherited", write: true, args: []any{id},
		keys: []string{key(0, processesName, ""), key(0, aliveName, "")}})
	return err
}

// Processes gives the list, the oldest first.
func (s *Store) Processes(ctx context.Context) ([]store.Process, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	r, err := s.run(ctx, call{args: []any{"HGETALL", key(0, processesName, "")}})
	if err != nil {
		return nil, err
	}
	all, err := texts(r.value)
	if err != nil || len(all)%2 != 0 {
		return nil, fmt.Errorf("redis answered with %d texts where names and values were due: %v", len(all), err)
	}
	var list []any
	for i := 0; i < len(all); i += 2 {
		if !strings.HasPrefix(all[i], "gone:") {
			list = append(list, all[i+1])
		}
	}
	return parseProcesses(list)
}

// Hold gives the lease of a name, or renews it, or says who has it.
func (s *Store) Hold(ctx context.Context, name, process string, ttl time.Duration) (store.Lease, error) {
	if err := s.enter(ctx); err != nil {
		return store.Lease{}, err
	}
	defer s.leave()
	if ttl < time.Millisecond {
		return store.Lease{}, fmt.Errorf("store: a lease of %v", ttl)
	}
	r, err := s.run(ctx, call{script: "hold", write: true, keys: []string{key(0, leasesName, "")}, args: []any{name, process, ttl.Milliseconds()}})
	if err != nil {
		return store.Lease{}, err
	}
	if list, ok := r.value.([]any); ok && len(list) == 3 {
		holder, ok1 := list[0].(string)
		fence, ok2 := list[1].(string)
		left, ok3 := list[2].(int64)
		n, err := strconv.ParseUint(fence, 10, 64)
		if ok1 && ok2 && ok3 && err == nil {
			return store.Lease{Holder: holder, Fence: n, Left: time.Duration(left) * time.Millisecond}, nil
		}
	}
	return store.Lease{}, fmt.Errorf("redis answered %v where a lease was due", r.value)
}
