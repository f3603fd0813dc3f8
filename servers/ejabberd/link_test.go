package ejabberd_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

// connections counts what serves a component.
func (r *rig) connections(component string) string {
	return r.eval(fmt.Sprintf(`length(mod_rouse_hold:connections(<<"%s">>)).`, component))
}

// ejabberd itself would deal out to all connections of a component. Of rouse's the
// newest has all, at once: the one before may be a process that hangs.
func TestNewestConnection(t *testing.T) {
	r := newRig(t, func(o *lab.EjabberdOptions) { o.Components = []lab.Component{servertest.Others} })
	old := r.F
	old.Answers(func(servertest.Element) string { return "silence" })
	n := len(old.Batches())
	r.Say("0")
	r.WaitFor("a batch that is not answered", func() bool { return len(old.Batches()) > n })

	r.F = servertest.NewFake(t, r.e.ComponentAddr(), r.e.Rouse())
	r.At = r.F.Mark()
	began := time.Now()
	r.F.Connect()
	r.Event("archived", "user", "alice")
	took := time.Since(began)
	t.Logf("the new connection has what the old one did not answer after %v", took)
	if took > 10*time.Second { // the answer is waited for for 15 s
		t.Errorf("the batch came again after %v", took)
	}
	if got := r.connections(r.e.Rouse().JID); got != "1" {
		t.Errorf("rouse has %s connections", got)
	}
	n = len(old.Batches())
	for i := range 10 {
		r.Say(strconv.Itoa(i + 1))
		r.Event("archived", "user", "alice")
	}
	if got := len(old.Batches()); got != n {
		t.Errorf("%d batches still went to the old connection", got-n)
	}

	// It closes for nobody else.
	r.Service()
	r.Service()
	if got := r.connections(servertest.Others.JID); got != "2" {
		t.Errorf("a component that is none of ours has %s connections, want 2", got)
	}
	r.F.Disconnect()
	r.WaitFor("rouse to be away", func() bool { return r.connections(r.e.Rouse().JID) == "0" })
	if got := r.eval(fmt.Sprintf(`mod_rouse_hold:is_connected(<<"%s">>).`, r.e.Rouse().JID)); got != "false" {
		t.Errorf("is_connected: %s", got)
	}
}
