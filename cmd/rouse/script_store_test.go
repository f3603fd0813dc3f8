package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rouse/config"
	"rouse/gateway"
	"rouse/session"
	"rouse/store"
)

// theStore opens a store by the address that scripts have for it.
func theStore(ts *testscript.TestScript, url string) store.Store {
	s, err := config.StoreAt(url, "", "")
	ts.Check(err)
	if s.Path != "" {
		s.Path = ts.MkAbs(s.Path)
	}
	st, err := openStore(context.Background(), s)
	ts.Check(err)
	return st
}

// scriptKey is the key of the nodes in a store that a script fills.
var scriptKey = strings.Repeat("a5", gateway.KeySize)

// fill puts N accounts, each with a device, a wake and decisions, into a store, and
// what else there is. The key that goes with it is written into rouse.key.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "fill STORE N")
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	st := theStore(ts, args[0])
	defer func() { ts.Check(st.Close()) }()
	nodes, err := gateway.NewNodes(scriptKey)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("rouse.key"), []byte(scriptKey), 0o600))
	now := time.Now().UTC()
	items := []store.Item{
		{Reporter: store.Reporter{Host: "example.org", Epoch: 7, Seq: 9}},
		{Owner: store.Owner{Key: store.NodeKey("node1"), Account: session.Account{Serial: 1}.Clone()}},
		{Registration: session.Registration{Node: "gone", App: "a", Domain: "d", Updated: now, Dead: "asked", Died: now}},
		{Name: "node-key", Value: nodes.Fingerprint()},
	}
	for i := range n {
		phone := session.Address{Service: "push.example.org", Node: fmt.Sprintf("node%d", i)}
		a := session.Account{Epoch: 1, Counter: uint64(i), Serial: 1}.Clone()
		a.Sessions["s"] = session.Session{State: session.Hibernated, Epoch: 1, Counter: 1}
		a.Endpoints[phone] = session.Endpoint{Owner: "s", Enabled: now}
		a.Pending[session.WakeKey{Address: phone, Class: session.Call}] = session.Wake{Serial: 1, Count: 1, Rule: "a3", Since: now, Due: now.Add(time.Hour)}
		items = append(items,
			store.Item{Registration: session.Registration{Node: phone.Node, App: "chat-ios", Token: fmt.Sprintf("t0ken%d", i), Device: "d", Domain: "example.org", Updated: now}},
			store.Item{Owner: store.Owner{Key: fmt.Sprintf("user%d@example.org", i), Account: a}, Reasons: []session.Reason{
				{At: now.Add(-time.Second), Event: session.Archive, Verdict: session.Quiet, Why: "nobody sleeps"},
				{At: now, Rule: "a3", Event: session.Archive, Verdict: session.Woke, Class: session.Call, Endpoint: phone, Why: "it sleeps"},
			}})
	}
	for len(items) > 0 {
		some := items[:min(500, len(items))]
		ts.Check(st.Put(context.Background(), some))
		items = items[len(some):]
	}
}

// alike wants two stores to hold the same.
func alike(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "alike STORE STORE")
	read := func(url string) map[string]store.Item {
		st := theStore(ts, url)
		defer st.Close()
		all := make(map[string]store.Item)
		for i, err := range st.Items(context.Background()) {
			ts.Check(err)
			i.Owner.Version = 0
			all[i.Owner.Key+"|"+i.Registration.Node+"|"+i.Reporter.Host+"|"+i.Name] = i
		}
		return all
	}
	a, b := read(args[0]), read(args[1])
	for k := range a {
		if !reflect.DeepEqual(a[k], b[k]) {
			ts.Fatalf("%s\n%s has %+v\n%s has %+v", k, args[0], a[k], args[1], b[k])
		}
	}
	if len(a) != len(b) || len(a) == 0 {
		ts.Fatalf("%s has %d items, %s %d", args[0], len(a), args[1], len(b))
	}
}

// cut starts rouse, ends it with a signal once it has written so much more into a
// store, and wants it to have ended by that.
func (g *stage) cut(ts *testscript.TestScript, args []string) {
	sig, ok := map[string]os.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM}[args[0]]
	if !ok {
		ts.Fatalf("no signal %q", args[0])
	}
	written := func() int { return g.keys(args[1]) }
	if file, ok := strings.CutPrefix(args[1], "sqlite:"); ok {
		written = func() int { return registered(ts.MkAbs(file)) }
	}
	more, err := strconv.Atoi(args[2])
	ts.Check(err)
	enough := written() + more
	self, err := os.Executable()
	ts.Check(err)
	cmd := exec.Command(self, args[3:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), asRouse+"=1")
	var said transcript
	cmd.Stdout, cmd.Stderr = &said, &said
	endWithParent(cmd)
	ts.Check(cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	defer func() { <-ended }()
	defer cmd.Process.Kill()
	for deadline := time.Now().Add(scriptPatience); written() < enough; {
		select {
		case <-ended:
			ts.Fatalf("it ended before it was cut:\n%s", said.text())
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			ts.Fatalf("there are only %d in %s", written(), args[1])
		}
	}
	ts.Check(cmd.Process.Signal(sig))
	<-ended
	fmt.Fprint(ts.Stdout(), said.text())
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	// Asked to end, it has to end by itself: it has written, so it listens by then.
	if killed := sig == syscall.SIGKILL && status.Signal() == sig; !killed && cmd.ProcessState.ExitCode() != exitFailed {
		ts.Fatalf("it was not cut but ended with %v:\n%s", cmd.ProcessState, said.text())
	}
}

// registrations counts in a file beside whoever writes it; 0: there is nothing yet.
func registered(file string) (n int) {
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		return 0
	}
	defer db.Close()
	if db.QueryRow(`SELECT count(*) FROM registration`).Scan(&n) != nil {
		return 0
	}
	return n
}

// damageFile runs a statement in a file that nobody has open.
func damageFile(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 2, "damage FILE STATEMENT")
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0]))
	ts.Check(err)
	r, err := db.Exec(args[1])
	ts.Check(err)
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		ts.Fatalf("nothing was damaged: %v", err)
	}
	ts.Check(db.Close())
}
