package gateway

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"rouse/business"
	"rouse/session"
	"rouse/store"
)

// reporters are who reports for a host: its module or, in a cluster, the module
// of each node, which has epoch and sequence of its own. The one without a name is
// always among them: in a cluster it stands for all that the host has.
type reporters struct {
	host  string
	mu    sync.Mutex
	turns map[string]*sync.Mutex // by node: one batch of each at a time
}

func newReporters(host string) *reporters {
	return &reporters{host: host, turns: map[string]*sync.Mutex{"": new(sync.Mutex)}}
}

// turn gives the turn of a node, which may be new.
func (r *reporters) turn(node string) (*sync.Mutex, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.turns[node]; t != nil {
		return t, nil
	}
	if len(r.turns) > business.MaxNodes {
		return nil, fmt.Errorf("gateway: %d nodes report for %s already, none more is taken: are names of nodes stable? A restart of rouse forgets the ones that are gone", business.MaxNodes, r.host)
	}
	r.turns[node] = new(sync.Mutex)
	return r.turns[node], nil
}

// known gives who has reported since the process started, and the one without a
// name. Each node says something as soon as the link is up.
func (r *reporters) known() map[string]*sync.Mutex {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.turns)
}

func (r *reporters) drop(node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.turns, node)
}

// left ends what a node had that is gone, as the others tell, each of them once.
// Should it come back, its first batch shows a gap, and its picture is asked for.
// It may be at it even now, cut off from who says that it is gone: then one of
// us finds the row changed, and its batch is repeated.
func (g *Gateway) left(ctx context.Context, b session.Batch, node string) error {
	if node == "" || node == b.Node {
		return nil
	}
	name := session.Reporter(b.Host, node)
	before, err := g.cfg.Store.Reporter(ctx, name)
	if err != nil {
		return err
	}
	none := store.Reporter{Host: name}
	if before == none {
		return nil // never seen, or told by another node
	}
	told := session.Mark{Node: b.Node, Epoch: b.Epoch, Seq: b.Seq}
	if _, err := g.sweep(ctx, b.Host, func(a session.Account) (session.Account, []session.Reason) {
		return business.Leave(a, node, told, g.cfg.Policy(), g.cfg.Now())
	}); err != nil {
		return err
	}
	if err := g.cfg.Store.SetReporter(ctx, before, none); err != nil {
		return err
	}
	g.hosts[b.Host].drop(node)
	g.log.Warn("a node of the cluster is gone", "host", b.Host, "node", node, "told by", b.Node)
	return nil
}

// answered notes that a host whose nodes report has been asked for the picture:
// one of them has come to the end of its own, and whoever has not is noted itself.
func (g *Gateway) answered(ctx context.Context, host string) error {
	before, err := g.cfg.Store.Reporter(ctx, host)
	if err != nil {
		return err
	}
	after := before
	after.Epoch, after.Wanted, after.Picture = max(before.Epoch, 1), false, 0 // an epoch: it was seen
	if after == before {
		return nil
	}
	return g.cfg.Store.SetReporter(ctx, before, after)
}
