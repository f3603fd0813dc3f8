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

func newPair(t *testing.T, change ...func(*lab.EjabberdOptions)) *pair {
	t.Helper()
	t.Parallel()
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	opt := lab.EjabberdOptions{Dir: t.TempDir(), Ebin: ebin, AckDelay: 2 * time.Second,
		Users: map[string]string{"alice": "a", "bob": "b", "carol": "c"}}
	for _, f := range change {
		f(&opt)
	}
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

// asleep has alice's phone fall asleep on a node; it gives the session's id.
func (p *pair) asleep(node int) (phone *lab.Client, sid string) {
	p.T.Helper()
	phone = p.Login("alice/phone", p.on(node))
	sid = p.Event("bind", "resource", "phone").Attr("sid")
	p.Enable(phone, p.cluster.Nodes[node].Rouse().JID, "n1")
	p.Check(phone.Drop(p.Ctx))
	p.Event("hibernated", "sid", sid)
	return phone, sid
}

// rows gives what the pictures of each node since now show, as it comes to both ends.
func (p *pair) rows(ask string) map[string]string {
	p.T.Helper()
	before := len(p.F.Batches())
	if got := servertest.Condition(p.Ask(ask)); got != "" {
		p.T.Fatalf("%s is refused: %s", ask, got)
	}
	rows := map[string]string{}
	wants := 2
	if strings.Contains(ask, "node=") {
		wants = 1
	}
	p.WaitFor("the picture", func() bool {
		clear(rows)
		ends := 0
		for _, b := range p.F.Batches()[before:] {
			for _, e := range b.Children {
				switch e.XMLName.Local {
				case "session", "endpoint":
					rows[b.Attr("node")] += e.XMLName.Local + " of " + e.Attr("user") + "; "
				case "end":
					ends++
				}
			}
		}
		return ends == wants
	})
	return rows
}

func TestEachNodeShowsItsSessionsAndAllRegistrations(t *testing.T) {
	p := newPair(t)
	p.asleep(1)
	both := p.rows("<picture" + servertest.NS + "/>")
	if a, b := both[p.names[0]], both[p.names[1]]; !strings.Contains(a, "session of bob") || strings.Contains(a, "session of alice") ||
		b != "endpoint of alice; session of alice; " || !strings.Contains(a, "endpoint of alice") {
		t.Errorf("of both: %q", both)
	}
	one := p.rows("<picture" + servertest.NS + " node='" + p.names[1] + "'/>")
	if len(one) != 1 || one[p.names[1]] != both[p.names[1]] {
		t.Errorf("of one: %q", one)
	}
	if got := servertest.Condition(p.Ask("<picture" + servertest.NS + " node='c@127.0.0.1'/>")); got != "cancel item-not-found" {
		t.Errorf("of a node that is not there: %q", got)
	}
	about := p.F.AskAs(p.Ctx, "get", p.cluster.Nodes[0].Host(), "<about"+servertest.NS+"/>")
	if a, ok := about.Child("about"); !ok || a.Attr("node") != p.names[0] {
		t.Errorf("about: %v", about)
	}
}

// TestASessionIsWokenOnItsNode: rouse is connected to the other.
func TestASessionIsWokenOnItsNode(t *testing.T) {
	p := newPair(t, func(o *lab.EjabberdOptions) { o.ResumeTimeout = time.Second })
	_, sid := p.asleep(1)
	p.Say("one")
	p.Event("queued", "sid", sid)
	if got := servertest.Condition(p.Ask("<woken" + servertest.NS + "><session user='alice' sid='" + sid + "'/></woken>")); got != "" {
		t.Fatalf("refused: %s", got)
	}
	p.Event("ended", "sid", sid) // a second later, and not three days
}

// TestASessionMovesToAnotherNode: it ends on the one and begins on the other, with
// its registration.
func TestASessionMovesToAnotherNode(t *testing.T) {
	p := newPair(t)
	phone, old := p.asleep(0)
	start := len(p.F.Batches())
	resumed, err := phone.LoginAt(p.Ctx, p.cluster.Nodes[1].ClientAddr())
	p.Check(err)
	if !resumed {
		t.Fatal("the session was not resumed")
	}
	since := func(node int, name string) (servertest.Element, bool) {
		for _, b := range p.F.Batches()[start:] {
			for _, e := range b.Children {
				if b.Attr("node") == p.names[node] && servertest.Fits(name, []string{"user", "alice"})(e) {
					return e, true
				}
			}
		}
		return servertest.Element{}, false
	}
	p.WaitFor("the session has moved", func() bool {
		_, gone := since(0, "ended")
		_, there := since(1, "resumed")
		return gone && there
	})
	ended, _ := since(0, "ended")
	p.Want(ended, "sid", old)
	bind, _ := since(1, "bind")
	sid := bind.Attr("sid")
	if sid == "" || sid == old {
		t.Errorf("%v: want a sid that is not %s", bind, old)
	}
	enable, _ := since(1, "enable")
	p.Want(enable, "sid", sid, "node", "n1", "resource", "phone")
	back, _ := since(1, "resumed")
	p.Want(back, "sid", sid, "state", "active")
}

// TestTheOthersTellOfANodeThatIsGone, and when it is back it starts with a new epoch.
func TestTheOthersTellOfANodeThatIsGone(t *testing.T) {
	p := newPair(t)
	p.asleep(1)
	p.Check(p.cluster.Nodes[1].Kill())
	p.Event("left", "node", p.names[1])
	before := p.batches(1)
	p.Check(p.cluster.Nodes[1].Start(p.Ctx))
	p.WaitFor("it says hello", func() bool { return p.batches(1) > before })
	epochs := map[string]bool{}
	for _, b := range p.F.Batches() {
		if b.Attr("node") == p.names[1] {
			epochs[b.Attr("epoch")] = true
		}
	}
	if len(epochs) != 2 {
		t.Errorf("epochs of the node: %v", epochs)
	}
}

// TestAllNodesSayHelloToANewConnection, also to one that comes before they have
// missed the last.
func TestAllNodesSayHelloToANewConnection(t *testing.T) {
	p := newPair(t)
	for range 3 {
		was := [2]int{p.batches(0), p.batches(1)}
		p.F.Disconnect()
		p.F.Connect()
		p.WaitFor("both say hello", func() bool { return p.batches(0) > was[0] && p.batches(1) > was[1] })
	}
}

// TestWhatIsNotSoAnyMoreIsNotReported: while rouse takes nothing of it, a node has
// a registration to report that is gone on another, and one that is back.
func TestWhatIsNotSoAnyMoreIsNotReported(t *testing.T) {
	p := newPair(t)
	us := p.cluster.Nodes[0].Rouse().JID
	first, second := p.Login("alice/first", p.on(0)), p.Login("alice/second", p.on(1))
	p.Enable(first, us, "back")
	p.F.Answers(func(e servertest.Element) string {
		if e.Attr("node") == p.names[0] {
			return "wait internal-server-error"
		}
		return ""
	})
	p.Check(first.DisablePush(p.Ctx, us, "back"))
	p.Check(first.EnablePush(p.Ctx, lab.Registration{Service: us, Node: "gone", Secret: "s"}))
	p.Check(second.EnablePush(p.Ctx, lab.Registration{Service: us, Node: "back", Secret: "s"}))
	p.Event("enable", "node", "back")
	p.Check(second.DisablePush(p.Ctx, us, "gone"))
	p.Event("disable", "node", "gone")
	p.F.Answers(nil)
	for _, e := range p.Marker() {
		if e.XMLName.Local == "enable" || e.XMLName.Local == "disable" {
			t.Errorf("%v: it is not so any more", e)
		}
	}
}

// TestSendersAreKnownToTheCluster: rouse asks one node for a publish, and another one has seen who wrote.
func TestSendersAreKnownToTheCluster(t *testing.T) {
	p := newPair(t, withOthers)
	service := p.Service()
	phone, carol := p.Login("alice/phone", p.on(1)), p.Login("carol/desk", p.on(1))
	p.Enable(phone, servertest.Others.JID, "n1")
	p.Check(phone.Drop(p.Ctx))
	p.Event("hibernated", "user", "alice")
	p.Check(carol.Send(p.Ctx, lab.Chat(p.JID("alice"), "id", "what carol wrote")))
	p.Event("queued", "user", "alice", "class", "message")
	here, err := p.cluster.Nodes[0].Eval(p.Ctx, `mod_rouse_table:sender(<<"`+p.cluster.Nodes[0].Host()+`">>, <<"alice">>, <<"message">>).`)
	p.Check(err)
	if got := servertest.Condition(p.Ask("<publish" + servertest.NS + " wake='w' user='alice' service='" + servertest.Others.JID + "' node='n1' class='message' count='1' sender='true'/>")); got != "" {
		t.Fatalf("refused: %s", got)
	}
	p.Event("answered", "wake", "w")
	if got := service.Last().Fields()["last-message-sender"]; got != p.JID("carol")+"/desk" || !strings.Contains(here, "undefined") {
		t.Errorf("the publish names %q; the node that was asked knew %s", got, here)
	}
}
