package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rouse/business"
	"rouse/business/simulate"
	"rouse/gateway"
	"rouse/push/pushtest"
	"rouse/session"
	scripted "rouse/session/history"
	"rouse/store"
)

// played puts the record that a history leads to into rouse.db, so that its end is
// now, with the devices that it speaks of.
func played(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "played FILE ACCOUNT")
	h, err := scripted.Parse(args[0], ts.ReadFile(args[0]))
	ts.Check(err)
	r, err := simulate.Play(h.Steps, business.DefaultPolicy())
	ts.Check(err)
	nodes, err := gateway.NewNodes(scriptKey)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("rouse.key"), []byte(scriptKey), 0o600))
	st := theStore(ts, "sqlite:rouse.db")
	defer func() { ts.Check(st.Close()) }()
	now := time.Now().UTC()
	later := now.Sub(r.Reasons[len(r.Reasons)-1].At)
	a := session.Account{Serial: 1}.Clone()
	for i := range r.Reasons {
		r.Reasons[i].At = r.Reasons[i].At.Add(later)
		if at := r.Reasons[i].Endpoint; at.Node != "" {
			a.Endpoints[at] = session.Endpoint{Enabled: now}
		}
	}
	items := []store.Item{{Name: "node-key", Value: nodes.Fingerprint()}, {Owner: store.Owner{Key: args[1], Account: a}, Reasons: r.Reasons}}
	for at := range a.Endpoints {
		items = append(items, store.Item{Registration: session.Registration{Node: at.Node, App: "chat-ios", Token: pushtest.APNsToken(at.Node), Device: "d", Domain: "example.org", Updated: now}})
	}
	ts.Check(st.Put(context.Background(), items))
}

// following is one rouse explain --follow.
type following struct {
	cmd *exec.Cmd
	out transcript
}

// follow starts it, and waits until it has told what is on record.
func (g *stage) follow(ts *testscript.TestScript, args []string) {
	self, err := os.Executable()
	ts.Check(err)
	f := &following{cmd: exec.Command(self, append([]string{"explain", "--follow"}, args...)...)}
	f.cmd.Dir, f.cmd.Stdout, f.cmd.Stderr = ts.MkAbs("."), &f.out, &f.out
	f.cmd.Env = append(os.Environ(), asRouse+"=1")
	endWithParent(f.cmd)
	ts.Check(f.cmd.Start())
	g.tail = f
	ts.Defer(func() { f.cmd.Process.Kill() })
	if !f.out.await(regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d `)) {
		ts.Fatalf("rouse explain told nothing:\n%s", f.out.text())
	}
}

// followed waits until it tells what matches, and interrupts it, which is no failure.
func (g *stage) followed(ts *testscript.TestScript, args []string) {
	f := g.tail
	if !f.out.await(regexp.MustCompile("(?m)" + args[0])) {
		ts.Fatalf("rouse explain tells nothing like that:\n%s", f.out.text())
	}
	ts.Check(f.cmd.Process.Signal(os.Interrupt))
	if err := f.cmd.Wait(); err != nil {
		ts.Fatalf("interrupted, it ends with %v:\n%s", err, f.out.text())
	}
}
