package redis

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/session"
	"rouse/store"
)

// until polls for what another program is about to do.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// unheard runs a call whose answers are lost, until happened says that Redis has
// done what it asks for; then meanwhile runs, and the connection breaks.
func unheard(t *testing.T, s *Store, p *lab.Proxy, call func(), happened func() bool, meanwhile func()) {
	t.Helper()
	p.DropAnswersTo("EVALSHA") // not to the greeting of a connection that is new
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	until(t, "Redis does what it was asked for", happened)
	if meanwhile != nil {
		meanwhile()
	}
	p.KeepAnswers()
	p.Cut()
	<-done
}

// teach makes Redis know all scripts: that it does not know one is an answer too.
func (s *server) teach(t *testing.T, st *Store) {
	t.Helper()
	for _, script := range st.scripts {
		if err := s.client.ScriptLoad(t.Context(), script.body).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

var phone = session.WakeKey{Address: session.Address{Service: "push.example.org", Node: "n"}, Class: session.Message}

const juliet = "juliet@example.org"

// A claim that this process never hears of does not keep the wake from it until
// the lease ends; from another process it does.
func TestClaimNeverHeardOf(t *testing.T) {
	server := start(t, inMemory)
	direct := server.open(t, process("p2"))
	server.teach(t, direct)
	p, way := server.through(t)
	s := server.open(t, way, process("p1"))
	if _, err := direct.Commit(t.Context(), typical(juliet, 1)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.NextDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	unheard(t, s, p, func() {
		if got, err := s.Claim(ctx, noon, time.Minute, 9); err == nil || len(got) != 0 {
			t.Errorf("claimed %+v, %v", got, err)
		}
	}, func() bool {
		o, err := direct.Load(t.Context(), juliet)
		for _, w := range o.Account.Pending {
			return err == nil && !w.Lease.IsZero()
		}
		return false
	}, giveUp)

	claims := func(s *Store, now time.Time) []store.Claimed {
		t.Helper()
		got, err := s.Claim(t.Context(), now, time.Minute, 9)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	soon := noon.Add(2 * time.Second)
	if got := claims(direct, soon); len(got) != 0 {
		t.Errorf("another process claimed %+v", got)
	}
	got := claims(s, soon)
	if len(got) != 1 || got[0].Wake.Lease != soon.Add(time.Minute) || got[0].Wake.Attempt != 0 {
		t.Errorf("claimed %+v", got)
	}
	if again := claims(s, soon); len(again) != 0 {
		t.Errorf("claimed twice: %+v", again)
	}
}

// What was done and not heard of is done once.
func TestLostAnswers(t *testing.T) {
	server := start(t, inMemory)
	direct := server.open(t)
	server.teach(t, direct)
	p, way := server.through(t)
	s := server.open(t, way, process("p1"))
	load := func(key string) store.Owner {
		t.Helper()
		o, err := direct.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}

	c := typical(juliet, 1)
	unheard(t, s, p, func() {
		v, err := s.Commit(t.Context(), c)
		if stored := load(juliet).Version; err != nil || v != stored {
			t.Errorf("Commit gives %d, %v; %d is stored", v, err, stored)
		}
	}, func() bool { return load(juliet).Version != 0 }, nil)
	if r, err := direct.Reasons(t.Context(), juliet, time.Time{}); err != nil || len(r) != 1 {
		t.Errorf("reasons %+v, %v", r, err)
	}
	if n, err := direct.Counts(t.Context()); err != nil || n.Pending != 1 || n.Endpoints != 1 || n.Sessions[session.Hibernated] != 1 {
		t.Errorf("counts %+v, %v", n, err)
	}

	if _, _, err := s.NextDue(t.Context()); err != nil { // a sweep, whose answers it hears
		t.Fatal(err)
	}
	until := noon.Add(time.Minute)
	unheard(t, s, p, func() {
		got, err := s.Claim(t.Context(), noon, time.Minute, 9)
		if err != nil || len(got) != 1 || got[0].Owner != juliet || got[0].Wake.Lease != until || got[0].Before != 0 || got[0].After != load(juliet).Version {
			t.Errorf("claimed %+v, %v", got, err)
		}
	}, func() bool {
		for _, w := range load(juliet).Account.Pending {
			return !w.Lease.IsZero()
		}
		return false
	}, nil)

	unheard(t, s, p, func() {
		if _, err := s.Commit(t.Context(), store.Commit{Key: juliet, Version: load(juliet).Version, Forget: true}); err != nil {
			t.Errorf("Forget: %v", err)
		}
	}, func() bool { return load(juliet).Version == 0 }, nil)

	device := session.Registration{Node: "n", App: "chat-ios", Token: "t", Updated: noon}
	stored := func(want string) func() bool {
		return func() bool {
			r, err := direct.Registration(t.Context(), "n")
			return err == nil && r.Dead == want
		}
	}
	unheard(t, s, p, func() {
		if err := s.Register(t.Context(), device); err != nil {
			t.Errorf("Register: %v", err)
		}
	}, stored(""), nil)
	if n, err := direct.CountRegistrations(t.Context()); err != nil || !reflect.DeepEqual(n, map[store.RegistrationKind]int{{App: "chat-ios"}: 1}) {
		t.Errorf("registrations %v, %v", n, err)
	}
	live := registrationRow(device)
	device.Dead, device.Died = "apns: 410", noon
	unheard(t, s, p, func() { // as Bury and Unregister write, after they have read
		if done, err := s.register(t.Context(), device, live); err != nil || !done {
			t.Errorf("register over what was read: %v, %v", done, err)
		}
	}, stored("apns: 410"), nil)

	reporter := store.Reporter{Host: "example.org", Epoch: 7}
	unheard(t, s, p, func() {
		if err := s.SetReporter(t.Context(), store.Reporter{Host: "example.org"}, reporter); err != nil {
			t.Errorf("SetReporter: %v", err)
		}
	}, func() bool {
		r, err := direct.Reporter(t.Context(), "example.org")
		return err == nil && r == reporter
	}, nil)

	if _, err := direct.Announce(t.Context(), store.Process{ID: "silent"}, time.Minute); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond) // the silence
	unheard(t, s, p, func() {
		gone, err := s.Announce(t.Context(), store.Process{ID: "p1"}, time.Millisecond)
		if err != nil || len(gone) != 1 || gone[0].ID != "silent" {
			t.Errorf("told of %+v, %v", gone, err)
		}
	}, func() bool {
		list, err := direct.Processes(t.Context())
		return err == nil && len(list) == 1 && list[0].ID == "p1"
	}, nil)

	if err := direct.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whoever cannot know whether it was stored is not told that it was not.
func TestLostAnswerAndAnotherDecision(t *testing.T) {
	server := start(t, inMemory)
	direct := server.open(t)
	server.teach(t, direct)
	p, way := server.through(t)
	s := server.open(t, way)
	version := func() uint64 {
		o, err := direct.Load(t.Context(), juliet)
		if err != nil {
			t.Fatal(err)
		}
		return o.Version
	}
	unheard(t, s, p, func() {
		if _, err := s.Commit(t.Context(), typical(juliet, 1)); err == nil || errors.Is(err, store.ErrConflict) {
			t.Errorf("Commit: %v, want that it may be stored or not", err)
		}
	}, func() bool { return version() != 0 }, func() {
		c := typical(juliet, 2)
		c.Version = version()
		if _, err := direct.Commit(t.Context(), c); err != nil {
			t.Error(err)
		}
	})
}

// Connections that break, or a Redis that is gone for a moment, are a delay.
func TestBrokenConnections(t *testing.T) {
	server := start(t, inMemory)
	p, way := server.through(t)
	s := server.open(t, way)
	stop := make(chan struct{})
	cutting := make(chan struct{})
	go func() {
		defer close(cutting)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				p.Cut()
			}
		}
	}()
	want := 1 // the last one
	for p.Stats().Cut < 3 && !t.Failed() {
		inFlight(t, s, 16, 40)
		want += 40
	}
	close(stop)
	<-cutting
	if err := p.Refuse(true); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	done := make(chan struct{})
	go func() {
		defer close(done)
		inFlight(t, s, 4, 1)
	}()
	time.Sleep(100 * time.Millisecond) // it is refused for a while
	if err := p.Refuse(false); err != nil {
		t.Fatal(err)
	}
	<-done
	o, err := s.Load(t.Context(), "user3@example.org")
	if err != nil || o.Account.Serial != uint64(want) {
		t.Errorf("%d decisions are there of %d, %v", o.Account.Serial, want, err)
	}
	if r, err := s.Reasons(t.Context(), "user3@example.org", time.Time{}); err != nil || len(r) != want {
		t.Errorf("%d reasons, %v", len(r), err)
	}
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// A Redis that forgot the scripts is taught them again, by whoever needs them.
func TestScriptsForgotten(t *testing.T) {
	server := start(t, inMemory)
	s := server.open(t)
	for range 3 {
		if err := server.client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		inFlight(t, s, 16, 2)
	}
	before := s.Stats()
	inFlight(t, s, 1, 10)
	if now := s.Stats(); now.Commands-before.Commands != 11 {
		t.Errorf("%d commands for 10 decisions and a load", now.Commands-before.Commands)
	}
}

// What was asked of a Redis that stalls ends with its context.
func TestStalled(t *testing.T) {
	server := start(t, inMemory)
	p, way := server.through(t)
	s := server.open(t, way)
	p.Stall(true)
	began := time.Now()
	if _, err := s.Load(contextFor(t, 100*time.Millisecond), juliet); err == nil {
		t.Error("Load: no error")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("Load took %v with a deadline of 100 ms", took)
	}
	p.Stall(false)
	if _, err := s.Load(t.Context(), juliet); err != nil {
		t.Error(err)
	}
}
