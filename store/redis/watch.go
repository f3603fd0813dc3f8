package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rouse/store"
)

const (
	watchEach  = time.Second
	watchLeast = 50 * time.Millisecond // between two looks, however often they are asked for
	watchTime  = 2 * time.Second       // for one look
	idleNode   = time.Minute
)

// watcher looks each second where the shards are and how their masters do. It is
// the only one who changes the store's picture of them, and tells of setbacks.
type watcher struct {
	s      *Store
	wanted chan struct{}
	known  map[string]sight // masters by address, as of the last look
	failed string           // what the last look failed with, to say it once
}

// sight is how a master was.
type sight struct {
	info
	demoted bool // it was a replica for a while
}

// kick asks for a look soon.
func (w *watcher) kick() {
	select {
	case w.wanted <- struct{}{}:
	default:
	}
}

func (w *watcher) run() {
	ticker := time.NewTicker(watchEach)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-w.wanted:
		case <-w.s.halt:
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), watchTime)
		err := w.look(ctx)
		cancel()
		w.complain(err)
		w.s.nodes.retire(idleNode)
		pause := time.NewTimer(watchLeast)
		select {
		case <-pause.C:
		case <-w.s.halt:
		}
		pause.Stop()
	}
}

func (w *watcher) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != w.failed {
		if err != nil {
			w.s.log.Warn("redis does not answer as it should; trying again", "err", err)
		} else {
			w.s.log.Info("redis answers again")
		}
	}
	w.failed = text
}

// look asks where the shards are, and their masters how they are.
func (w *watcher) look(ctx context.Context) error {
	where, err := w.s.where.locate(ctx)
	if err != nil {
		return err
	}
	first := w.known == nil
	addrs := where.distinct()
	seen := make([]info, len(addrs))
	errs := make([]error, len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() { seen[i], errs[i] = w.ask(ctx, addr, first) })
	}
	all.Wait()
	if err := w.publish(where); err != nil {
		return err
	}
	if first {
		w.known = make(map[string]sight)
	}
	var causes []string
	for i, addr := range addrs {
		if errs[i] == nil {
			causes = append(causes, w.compare(addr, seen[i], first)...)
		}
	}
	for addr := range w.known {
		if !slices.Contains(addrs, addr) {
			delete(w.known, addr) // if it comes back, it has been something else meanwhile
		}
	}
	if len(causes) > 0 {
		w.s.setback(strings.Join(causes, ", "))
	}
	return errors.Join(errs...)
}

// publish tells callers where the shards are.
func (w *watcher) publish(where addresses) error {
	var shards [store.Shards]*node
	for i, addr := range where {
		if i > 0 && addr == where[i-1] {
			shards[i] = shards[i-1]
			continue
		}
		if addr == "" {
			continue
		}
		var err error
		if shards[i], err = w.s.nodes.get(addr); err != nil {
			return err
		}
	}
	w.s.shards.Store(&shards)
	return nil
}

// ask looks at one master.
func (w *watcher) ask(ctx context.Context, addr string, first bool) (info, error) {
	n, err := w.s.nodes.get(addr)
	if err != nil {
		return info{}, err
	}
	i, err := look(ctx, n.client)
	if err != nil {
		return i, explain(addr, err)
	}
	if first && i.backlog && w.s.o.Mode != Standalone {
		n.met()
	}
	n.saw(i.replicas)
	if i.replicas == 0 && n.safe && w.s.o.Mode != Standalone {
		w.kick() // from when there is one again, it has to confirm
	}
	n.waitaof.Store(atLeast(i.version, 7, 2))
	return i, nil
}

// compare says what happened to a master since the last look that lost something,
// or may have.
func (w *watcher) compare(addr string, now info, first bool) (causes []string) {
	was, known := w.known[addr]
	demoted := now.role != "master"
	switch {
	case demoted:
		w.kick() // somebody else is master, or will be
	case first:
	case known && was.runID != now.runID:
		causes = append(causes, addr+" was started again")
	case known && was.demoted:
		causes = append(causes, addr+" was a replica for a while")
	case !known && (now.promoted || w.s.o.Mode == Sentinel):
		causes = append(causes, addr+" took over")
	}
	w.known[addr] = sight{now, demoted || known && was.demoted && len(causes) == 0}
	return causes
}

// setback forgets what was learnt from a Redis that is not the same any more.
func (s *Store) setback(cause string) {
	s.agenda.forget()
	s.log.Warn("redis may have lost what was written last", "cause", cause)
	if s.o.OnSetback != nil {
		s.tasks.Go(func() { s.o.OnSetback(cause) })
	}
}

// node gives who serves a shard, or the node of an address.
func (s *Store) node(shard int, addr string) (*node, error) {
	if addr != "" {
		return s.nodes.get(addr)
	}
	if n := s.shards.Load()[shard]; n != nil {
		return n, nil
	}
	return nil, errNoNode
}

// masters gives every node that has shards.
func (s *Store) masters() ([]*node, error) {
	var out []*node
	for shard, n := range s.shards.Load() {
		if n == nil {
			return nil, &Error{s.o.Addrs[0], fmt.Errorf("shard %d of %d: %w", shard, store.Shards, errNoNode), "see CLUSTER NODES there"}
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out, nil
}
