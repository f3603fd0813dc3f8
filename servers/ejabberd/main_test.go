package ejabberd_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/servers/servertest"
)

var (
	clients *lab.Clients // one process for all tests
	ebin    string       // the modules, compiled once
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if ebin, err = os.MkdirTemp("", "rouse-ebin-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(ebin)
	if err := lab.CompileEjabberd(context.Background(), ebin); err != nil {
		return 1, err
	}
	if clients, err = lab.StartClients(); err != nil {
		return 1, err
	}
	return m.Run(), clients.Close()
}

// rig is an ejabberd with mod_rouse, a fake rouse, and somebody who writes.
type rig struct {
	*servertest.Rig
	e *lab.Ejabberd
}

// ackDelay is mod_rouse's ack_delay in these tests.
const ackDelay = 2 * time.Second

// Servers are heavy: so many run at a time.
var slots = make(chan struct{}, 3)

func newRig(t *testing.T, change ...func(*lab.EjabberdOptions)) *rig {
	t.Helper()
	t.Parallel() // they wait more than they work
	slots <- struct{}{}
	t.Cleanup(func() { <-slots })
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	opt := lab.EjabberdOptions{Dir: t.TempDir(), Ebin: ebin, AckDelay: ackDelay,
		Users: map[string]string{"alice": "a", "bob": "b", "carol": "c"}}
	for _, f := range change {
		f(&opt)
	}
	e, err := lab.StartEjabberd(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{e: e}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what ejabberd complained about:\n%s", complaints(e))
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	begin := servertest.NewRig
	if opt.NoModule {
		begin = servertest.NewRigWithoutModule
	}
	r.Rig = begin(t, ctx, e, clients, opt.Users)
	r.Settle = r.settle
	return r
}

// module adds lines to mod_rouse's options.
func module(lines string) func(*lab.EjabberdOptions) {
	return func(o *lab.EjabberdOptions) { o.Modules = map[string]string{"mod_rouse": lines} }
}

// complaints is what ejabberd logged about mod_rouse and whatever is not right.
func complaints(e *lab.Ejabberd) string {
	var keep []string
	for _, line := range strings.Split(e.LogTail(20000), "\n") {
		if strings.Contains(line, "mod_rouse") || strings.Contains(line, "[warning]") || strings.Contains(line, "[error]") ||
			strings.Contains(line, "[critical]") || strings.HasPrefix(line, " ") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

// settle waits until the server has done what bob has caused so far.
func (r *rig) settle() {
	r.T.Helper()
	_, err := r.Bob.IQ(r.Ctx, r.e.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
	r.Check(r.e.On(r.e.Host()).Settle(r.Ctx))
}

// eval evaluates Erlang in the server.
func (r *rig) eval(code string) string {
	r.T.Helper()
	value, err := r.e.Eval(r.Ctx, code)
	r.Check(err)
	return value
}
