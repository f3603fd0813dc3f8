package ejabberd_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// pair is a host on two nodes. rouse is connected to the first, where bob is;
// alice may be on both.
type pair struct {
	*servertest.Rig
	cluster *lab.Cluster
	names   [2]string // as rouse knows them
}

func newPair(t *testing.T) *pair {
	t.Helper()
	t.Parallel()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	opt := lab.EjabberdOptions{Dir: t.TempDir(), Ebin: ebin, AckDelay: 2 * time.Second,
		Users: map[string]string{"alice": "a", "bob": "b", "carol": "c"}}
	c, err := lab.StartCluster(ctx, opt, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range c.Nodes {
				t.Logf("what ejabberd complained about:\n%s", complaints(e))
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	p := &pair{Rig: servertest.NewRig(t, ctx, c.Nodes[0], clients, opt.Users), cluster: c, names: [2]string{"a@127.0.0.1", "b@127.0.0.1"}}
	p.WaitFor("both nodes say hello", func() bool { return p.batches(0) > 0 && p.batches(1) > 0 })
	return p
}

// on has a client of the rig log in on a node.
func (p *pair) on(node int) func(*lab.ClientOptions) {
	return func(o *lab.ClientOptions) { o.Addr = p.cluster.Nodes[node].ClientAddr() }
}

// batches counts what came from a node.
func (p *pair) batches(node int) int {
	n := 0
	for _, b := range p.F.Batches() {
		if b.Attr("node") == p.names[node] {
			n++
		}
	}
	return n
}

// reporter is the node whose batch brought the events that fit.
func (p *pair) reporter(name string, pairs ...string) string {
	var found []string
	for _, b := range p.F.Batches() {
		for _, e := range b.Children {
			if servertest.Fits(name, pairs)(e) {
				found = append(found, b.Attr("node"))
			}
		}
	}
	return strings.Join(found, " ")
}

func TestEachNodeOfAClusterReportsItsOwnSessions(t *testing.T) {
	p := newPair(t)
	// alice has a phone on each node, and both sleep.
	for i, where := range []string{"phone", "tablet"} {
		c := p.Login("alice/"+where, p.on(i))
		sid := p.Event("bind", "resource", where).Attr("sid")
		p.Enable(c, p.cluster.Nodes[i].Rouse().JID, where)
		p.Check(c.Drop(p.Ctx))
		p.Event("hibernated", "sid", sid)
		if got := p.reporter("bind", "sid", sid); got != p.names[i] {
			t.Errorf("the %s is on %s, %q reports it", where, p.names[i], got)
		}
	}
	// bob writes on the first node: each phone's stanza is reported where it waits.
	p.Say("hello")
	p.WaitFor("both are queued", func() bool {
		got := p.reporter("queued", "user", "alice", "class", "message")
		return strings.Contains(got, p.names[0]) && strings.Contains(got, p.names[1])
	})
	epochs := map[string]string{}
	for _, b := range p.F.Batches() {
		if was := epochs[b.Attr("node")]; was != "" && was != b.Attr("epoch") {
			t.Errorf("%s has the epochs %s and %s", b.Attr("node"), was, b.Attr("epoch"))
		}
		epochs[b.Attr("node")] = b.Attr("epoch")
	}
	if len(epochs) != 2 || epochs[p.names[0]] == epochs[p.names[1]] {
		t.Errorf("epochs by node: %v", epochs)
	}
}
