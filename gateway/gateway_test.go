package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"rouse/business"
	"rouse/gateway"
	"rouse/session"
	"rouse/store"
	"rouse/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	us     = "push.example.org"
	host   = "example.org"
	juliet = "juliet@example.org"
	key    = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
)

// house is a gateway on a real store, with a server module that only listens.
type house struct {
	*gateway.Gateway
	t      *testing.T
	store  store.Store
	server *server
	log    *bytes.Buffer
	nodes  *gateway.Nodes

	mu  sync.Mutex
	now time.Time
	seq uint64
	n   uint64
}

type server struct {
	mu       sync.Mutex
	pictures chan string
	woken    []string
}

func (s *server) Picture(ctx context.Context, host, node string) error {
	select {
	case s.pictures <- session.Reporter(host, node):
	case <-ctx.Done():
	}
	return nil
}

func (s *server) Woken(_ context.Context, host, user, sid string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.woken = append(s.woken, user+"@"+host+" "+sid)
	return nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return houseOn(t, st)
}

// wokenOnce is a policy by which no device is woken again.
func wokenOnce() business.Policy {
	p := business.DefaultPolicy()
	p.Repeat = nil
	return p
}

func houseOn(t *testing.T, st store.Store, change ...func(*gateway.Config)) *house {
	nodes, err := gateway.NewNodes(key)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{
		t: t, store: st, nodes: nodes, log: &bytes.Buffer{},
		server: &server{pictures: make(chan string, 16)},
		now:    time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC),
	}
	cfg := gateway.Config{
		Store: st, Server: h.server, Nodes: nodes, Service: us, Hosts: []string{host},
		Policy: wokenOnce, Now: h.clock, Logger: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	for _, f := range change {
		f(&cfg)
	}
	h.Gateway = gateway.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		h.Close()
		if err := st.Close(); err != nil { // closing once more, where two houses share it, does no harm
			t.Error(err)
		}
	})
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// batch is the next one of an unbroken sequence.
func (h *house) batch(events ...session.Event) session.Batch {
	h.seq++
	for i := range events {
		h.n++
		events[i].N, events[i].Epoch = h.n, 1
		if events[i].Account == "" && events[i].Kind != session.PictureOn && events[i].Kind != session.PictureOff {
			events[i].Account = juliet
		}
	}
	return session.Batch{Host: host, Epoch: 1, Seq: h.seq, Events: events}
}

func (h *house) take(events ...session.Event) {
	h.t.Helper()
	if err := h.Take(h.t.Context(), h.batch(events...)); err != nil {
		h.t.Fatal(err)
	}
}

// device registers a phone of juliet's and gives its endpoint.
func (h *house) device(id string) (session.Address, string) {
	h.t.Helper()
	node, secret, err := h.Register(h.t.Context(), gateway.RegisterRequest{
		Account: juliet, Provider: "fcm", App: "chat", Token: "token-" + id, Device: id,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return session.Address{Service: us, Node: node}, secret
}

// claim gives what is to be sent; what is not meets its fate.
func (h *house) claim() []session.Job {
	h.t.Helper()
	claimed, err := h.Claim(h.t.Context(), 100)
	if err != nil {
		h.t.Fatal(err)
	}
	var jobs []session.Job
	for _, j := range claimed {
		if j.Fate == nil {
			jobs = append(jobs, j)
			continue
		}
		j.Fate.At = h.clock()
		if err := h.Settle(h.t.Context(), j, *j.Fate); err != nil {
			h.t.Fatal(err)
		}
	}
	return jobs
}

func (h *house) settle(j session.Job, v session.Verdict) {
	h.t.Helper()
	if err := h.Settle(h.t.Context(), j, session.Settlement{Verdict: v, At: h.clock(), Why: "fcm: 200"}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) reasons() string {
	h.t.Helper()
	list, err := h.store.Reasons(h.t.Context(), juliet, time.Time{})
	if err != nil {
		h.t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s %s: %s\n", r.Rule, r.Event, r.Verdict, r.Why)
	}
	return b.String()
}

func sleeping(ep session.Address, secret string) []session.Event {
	return []session.Event{
		{Kind: session.Bind, Session: "s1", Resource: "phone"},
		{Kind: session.Enable, Session: "s1", Resource: "phone", Address: ep, Secret: session.Fingerprint(secret)},
		{Kind: session.Hibernate, Session: "s1", Out: 1, Unread: []session.Unread{{Class: session.Message, Last: 1, Count: 1}}},
	}
}

func TestAWakeGoesItsWay(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	jobs := h.claim()
	if len(jobs) != 1 || jobs[0].Target.Token != "token-phone" || jobs[0].Wake.Rule != "a2" {
		t.Fatalf("claimed %+v", jobs)
	}
	if again := h.claim(); len(again) != 0 {
		t.Errorf("claimed twice: %+v", again)
	}
	h.settle(jobs[0], session.Sent)
	if h.pass(time.Hour); len(h.claim()) != 0 {
		t.Error("a settled wake came back")
	}
	if len(h.server.woken) != 1 || h.server.woken[0] != juliet+" s1" {
		t.Errorf("the server was told %q", h.server.woken)
	}
}

func TestAWorkerThatDiesGivesItsWakesBackUnderTheSameID(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	first := h.claim()
	h.pass(5 * time.Minute)
	second := h.claim()
	if len(first) != 1 || len(second) != 1 || first[0].ID != second[0].ID {
		t.Fatalf("first %+v, second %+v", first, second)
	}
}

func TestARepeatedBatchChangesNothing(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	b := h.batch(sleeping(ep, secret)...)
	for range 3 {
		if err := h.Take(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if jobs := h.claim(); len(jobs) != 1 {
		t.Errorf("claimed %d wakes, want 1", len(jobs))
	}
}

func TestAGapAsksForThePicture(t *testing.T) {
	h := newHouse(t)
	h.take(session.Event{Kind: session.Bind, Session: "s1"})
	if got := <-h.server.pictures; got != host {
		t.Fatalf("asked %s", got) // the first epoch is new to us
	}
	h.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureRow, Session: "s1"}, session.Event{Kind: session.PictureOff})
	h.pass(time.Minute)
	h.take(session.Event{Kind: session.CSI, Session: "s1", State: session.Inactive})
	select {
	case <-h.server.pictures:
		t.Fatal("asked although nothing is missing")
	default:
	}
	h.seq++ // a batch got lost
	h.take(session.Event{Kind: session.CSI, Session: "s1"})
	if got := <-h.server.pictures; got != host {
		t.Fatalf("asked %s", got)
	}
}

// A module that started again has sessions of which we know nothing, and we have
// some that are not there: its picture does not wait for the time after the last.
func TestARestartAsksForThePictureAtOnce(t *testing.T) {
	h := newHouse(t)
	h.LinkUp(t.Context())
	<-h.server.pictures
	h.take(session.Event{Kind: session.Bind, Session: "s1"}) // the module says hello: the same picture
	h.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureRow, Session: "s1"}, session.Event{Kind: session.PictureOff})
	h.pass(time.Second)
	if err := h.Take(t.Context(), session.Batch{Host: host, Epoch: 2, Seq: 1}); err != nil {
		t.Fatal(err)
	}
	if got := <-h.server.pictures; got != host {
		t.Fatalf("asked %s", got)
	}
	if n := len(h.server.pictures); n != 0 {
		t.Errorf("asked %d times more", n)
	}
}

// What is asked for too soon is asked for later, also if nothing happens.
func TestAPictureThatIsWantedSoonIsAskedForLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		begun := time.Now()
		h.take(session.Event{Kind: session.Bind, Session: "s1"})
		<-h.server.pictures
		h.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureRow, Session: "s1"}, session.Event{Kind: session.PictureOff})
		h.seq++ // a batch got lost
		h.take(session.Event{Kind: session.CSI, Session: "s1"})
		synctest.Wait()
		if n := len(h.server.pictures); n != 0 {
			t.Fatalf("asked %d times at once", n)
		}
		h.pass(time.Minute)
		<-h.server.pictures
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("asked after %v", took)
		}
		h.take(session.Event{Kind: session.PictureOn}, session.Event{Kind: session.PictureRow, Session: "s1"}, session.Event{Kind: session.PictureOff})
		h.pass(time.Hour)
		time.Sleep(time.Hour)
		if n := len(h.server.pictures); n != 0 {
			t.Errorf("asked %d times although nothing is wanted", n)
		}
	})
}

func TestThePictureEndsWhatItDoesNotShow(t *testing.T) {
	h := newHouse(t)
	phone, secret := h.device("phone")
	h.take(sleeping(phone, secret)...)
	h.take(session.Event{Kind: session.Bind, Session: "romeo", Account: "romeo@example.org"})
	h.pass(time.Second)
	h.take(session.Event{Kind: session.PictureOn})
	h.take(session.Event{Kind: session.PictureRow, Session: "romeo", Account: "romeo@example.org"}, session.Event{Kind: session.PictureOff})
	if o, _ := h.store.Load(t.Context(), juliet); len(o.Account.Sessions)+len(o.Account.Endpoints)+len(o.Account.Pending) != 0 {
		t.Errorf("juliet was not in the picture and is still here: %+v", o.Account)
	}
	if o, _ := h.store.Load(t.Context(), "romeo@example.org"); len(o.Account.Sessions) != 1 {
		t.Errorf("romeo was in the picture and is gone: %+v", o.Account)
	}
}

// TestTheClockIsSetBackWithinAPicture: or the link goes to a process whose clock
// is behind. What the picture showed before and after is there all the same.
func TestTheClockIsSetBackWithinAPicture(t *testing.T) {
	h := newHouse(t)
	phone, secret := h.device("phone")
	h.take(sleeping(phone, secret)...)
	romeo := session.Event{Kind: session.PictureRow, Session: "romeo", Account: "romeo@example.org"}
	h.take(session.Event{Kind: session.PictureOn}, romeo)
	h.pass(-10 * time.Second)
	h.take(
		session.Event{Kind: session.StoredRow, Session: "s1", Address: phone, Secret: session.Fingerprint(secret)},
		session.Event{Kind: session.PictureRow, Session: "s1", State: session.Hibernated},
		session.Event{Kind: session.Bind, Session: "nurse", Account: "nurse@example.org"},
		session.Event{Kind: session.PictureOff})
	if o, _ := h.store.Load(t.Context(), juliet); len(o.Account.Sessions) != 1 || len(o.Account.Endpoints) != 1 {
		t.Errorf("juliet was in the picture: %+v", o.Account)
	}
	for _, account := range []string{"romeo@example.org", "nurse@example.org"} {
		if o, _ := h.store.Load(t.Context(), account); len(o.Account.Sessions) != 1 {
			t.Errorf("%s is gone: %+v", account, o.Account)
		}
	}
}

func TestADeadTokenIsBuriedUnlessItRegisteredAgain(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	job := h.claim()[0]
	h.settle(job, session.Died)
	if r, _ := h.store.Registration(t.Context(), ep.Node); r.Live() {
		t.Error("the registration still lives")
	}
	if got := h.Publish(t.Context(), gateway.PublishRequest{From: host, Node: ep.Node, Secret: secret, Class: session.Message}); got != gateway.NoNode {
		t.Errorf("publish to a dead node: %v", got)
	}

	h.pass(time.Minute)
	h.device("phone") // it registers again
	h.take(session.Event{Kind: session.Queue, Session: "s1", Out: 2, Class: session.Message, Key: "i:2"})
	jobs := h.claim()
	if len(jobs) != 1 {
		t.Fatalf("claimed %+v; record:\n%s", jobs, h.reasons())
	}
	// The provider speaks of a time before the new registration.
	if err := h.Settle(t.Context(), jobs[0], session.Settlement{Verdict: session.Died, At: h.clock(), Since: h.clock().Add(-30 * time.Second), Why: "apns: 410"}); err != nil {
		t.Fatal(err)
	}
	if again := h.claim(); len(again) != 0 {
		t.Error("a token that was refused is tried again at once")
	}
	h.pass(5 * time.Second)
	again := h.claim()
	if len(again) != 1 {
		t.Fatalf("the wake was given up although the device registered again:\n%s", h.reasons())
	}
	// It says so again: the client registers with a dead token.
	if err := h.Settle(t.Context(), again[0], session.Settlement{Verdict: session.Died, At: h.clock(), Since: h.clock().Add(-35 * time.Second), Why: "apns: 410"}); err != nil {
		t.Fatal(err)
	}
	if r, _ := h.store.Registration(t.Context(), ep.Node); r.Live() {
		t.Error("the registration lives on, and would be tried for ever")
	}
}

func TestATokenThatIsReplacedDuringTheSend(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	job := h.claim()[0]
	r, err := h.store.Registration(t.Context(), ep.Node)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Register(t.Context(), gateway.RegisterRequest{Account: juliet, Provider: "fcm", App: r.App, Token: "another", Device: r.Device}); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	h.settle(job, session.Died)
	if jobs := h.claim(); len(jobs) != 1 || jobs[0].Target.Token != "another" {
		t.Errorf("claimed %+v, want the wake with the new token; record:\n%s", jobs, h.reasons())
	}
}

func TestOnlyOurNodesWithTheirSecretCanBeEnabled(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	for name, e := range map[string]session.Event{
		"guessed node": {Address: session.Address{Service: us, Node: "guess"}, Secret: session.Fingerprint(secret)},
		"wrong secret": {Address: ep, Secret: session.Fingerprint("guess")},
	} {
		e.Kind, e.Session = session.Enable, "s1"
		h.take(e, session.Event{Kind: session.Hibernate, Session: "s1", Out: h.n, Unread: []session.Unread{{Class: session.Message, Last: h.n}}})
		if jobs := h.claim(); len(jobs) != 0 {
			t.Errorf("%s: woken: %+v", name, jobs)
		}
	}
}

func TestDeletedAccountsLeaveNothing(t *testing.T) {
	h := newHouse(t)
	ep, secret := h.device("phone")
	h.take(sleeping(ep, secret)...)
	h.take(session.Event{Kind: session.Delete})
	if o, _ := h.store.Load(t.Context(), juliet); !o.Account.Empty() || h.reasons() != "" {
		t.Errorf("left: %+v\n%s", o.Account, h.reasons())
	}
	if r, err := h.store.Registration(t.Context(), ep.Node); err == nil && (r.Live() || r.Token != "") {
		t.Errorf("the registration is left: %+v", r)
	}
	if len(h.claim()) != 0 {
		t.Error("a wake is left")
	}
}

// failing answers everything with an error while broken.
type failing struct {
	store.Store
	broken bool
}

func (f *failing) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	if f.broken {
		return 0, errors.New("disk full")
	}
	return f.Store.Commit(ctx, c)
}

func TestABatchIsNotTakenWhileTheStoreFails(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rouse.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Store: st}
	h := houseOn(t, f)
	ep, secret := h.device("phone")
	b := h.batch(sleeping(ep, secret)...)
	f.broken = true
	if err := h.Take(t.Context(), b); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Fatalf("taken: %v", err)
	}
	f.broken = false
	if err := h.Take(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if len(h.claim()) != 1 {
		t.Error("the wake was lost")
	}
}
