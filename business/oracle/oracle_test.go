package oracle_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rouse/business"
	"rouse/business/oracle"
	"rouse/session"
	"rouse/session/history"
)

var (
	histories = flag.Int("oracle.n", 20_000, "how many random histories both decide")
	seed      = flag.Uint64("oracle.seed", 0, "of the random histories; 0: another one each time")
)

// TestOracle: package business and its oracle decide random histories alike. A
// difference is shrunk and told as a file for rouse simulate.
func TestOracle(t *testing.T) {
	set := func(name, value string) {
		old := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { flag.Set(name, old) })
	}
	set("rapid.checks", fmt.Sprint(*histories))
	set("rapid.nofailfile", "true")
	if *seed != 0 {
		set("rapid.seed", fmt.Sprint(*seed))
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(w.actions())
		w.pass(10 * time.Minute)
	})
}

const service = "push.example.org"

// world is a server, its clients and its providers, who do what comes to their mind.
type world struct {
	t       *rapid.T
	ours    session.Account
	theirs  *oracle.Account
	policy  business.Policy
	now     time.Time
	nodes   []*node
	clients []*client
	batch   int
	told    []session.Event // that were delivered
	held    []session.Event // and that were not
	flying  []flight
	dead    []flight // of workers that were taken for dead
	script  []string
}

// node is one of the server's cluster.
type node struct {
	name     string
	epoch, n uint64
}

// client is one that may have a session.
type client struct {
	sid, resource, id string
	node              *node
	out, acked        uint64
	epoch, n          uint64 // of the last event that its session had
}

// flight is a wake that a provider has.
type flight struct {
	key     session.WakeKey
	ours    session.Wake
	theirs  oracle.Wake
	verdict session.Verdict
	once    bool // the app does not connect when it is woken
	at      time.Time
	again   time.Duration
}

var devices = []string{"desk", "pad", "phone"}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, ours: session.Account{}.Clone(), now: time.Unix(1_700_000_000, 0).UTC(), policy: business.Policy{
		Service:  service,
		Coalesce: rapid.SampledFrom([]time.Duration{5 * time.Second, 0, time.Minute}).Draw(t, "window"),
		Calls:    rapid.SampledFrom([]int{10, 2, 0}).Draw(t, "calls"),
		Silents:  rapid.SampledFrom([]int{3, 1, 0}).Draw(t, "silents"),
		Grace:    rapid.SampledFrom([]time.Duration{0, 30 * time.Second, 3 * time.Second}).Draw(t, "grace"),
	}}
	w.policy.Zone = func(name string) *time.Location {
		if name == "East" {
			return time.FixedZone(name, 3600)
		}
		return nil
	}
	if rapid.Bool().Draw(t, "again") {
		w.policy.Repeat = []time.Duration{10 * time.Second, 30 * time.Second}
		w.policy.RepeatFor = rapid.SampledFrom([]time.Duration{time.Minute, time.Hour}).Draw(t, "enough")
	}
	r := oracle.Rules{Window: w.policy.Coalesce.Milliseconds(), Calls: w.policy.Calls, Silents: w.policy.Silents,
		Grace: w.policy.Grace.Milliseconds(), Enough: w.policy.RepeatFor.Milliseconds()}
	for _, d := range w.policy.Repeat {
		r.Again = append(r.Again, d.Milliseconds())
	}
	w.theirs = oracle.New(r)
	w.nodes = []*node{{epoch: 1}}
	if rapid.IntRange(0, 3).Draw(t, "cluster") == 3 {
		w.nodes = []*node{{name: "a", epoch: 1}, {name: "b", epoch: 7}}
	}
	for _, c := range []client{{sid: "s1", resource: "phone", id: "p"}, {sid: "s2", resource: "desk"}, {sid: "s3", resource: "phone.2", id: "p"}, {sid: "s4", resource: "desk"}} {
		c.node = rapid.SampledFrom(w.nodes).Draw(t, "node of "+c.sid)
		w.clients = append(w.clients, &c)
	}
	return w
}

func (w *world) millis() int64 { return w.now.UnixMilli() }

// say adds a line to what is told of a difference.
func (w *world) say(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf(format, args...))
}

// before puts a line in front of the last one.
func (w *world) before(format string, args ...any) {
	w.script = slices.Insert(w.script, max(0, len(w.script)-1), fmt.Sprintf(format, args...))
}

// happen delivers an event to both.
func (w *world) happen(e session.Event, repeated bool) {
	var ours []session.Reason
	w.ours, ours = business.Decide(w.ours, e, w.policy, w.now)
	theirs := w.theirs.Happen(translated(e), w.millis())
	if repeated {
		w.say("# again: %s", history.Line(e, service))
	} else {
		w.say("%s", history.Line(e, service))
	}
	w.compare(ours, theirs)
	w.send()
}

// stamp gives an event the place in its node's tale.
func (w *world) stamp(e session.Event, n *node) session.Event {
	w.batch++
	n.n++
	e.Node, e.Epoch, e.N, e.At = n.name, n.epoch, n.n, w.now
	e.Told = session.Mark{Node: n.name, Epoch: n.epoch, Seq: uint64(w.batch)}
	return e
}

// tell has a node tell an event, unless it gets lost or held up.
func (w *world) tell(e session.Event, n *node) {
	if e.N == 0 {
		e = w.stamp(e, n)
	}
	switch fate := rapid.IntRange(0, 19).Draw(w.t, "fate"); fate {
	case 19:
		return // lost
	case 18:
		w.held = append(w.held, e)
		return
	default:
		w.told = append(w.told, e)
		w.happen(e, false)
	}
}

// compare fails with a file for rouse simulate where both do not agree.
func (w *world) compare(ours []session.Reason, theirs []oracle.Decision) {
	var got, want []string
	for _, r := range ours {
		if r.Class == session.Nothing && (r.Verdict == session.Quiet || r.Verdict == session.Withdrew) {
			continue // what merely happened
		}
		got = append(got, words(r.Rule, string(r.Verdict), r.Endpoint.Node, r.Class.String()))
	}
	for _, d := range theirs {
		want = append(want, words(d.Rule, d.Verdict, d.Device, session.Class(d.Class).String()))
	}
	if a, b := strings.Join(got, "; "), strings.Join(want, "; "); a != b {
		if len(w.script) > 0 && len(want) > 0 {
			w.script[len(w.script)-1] += " => " + b
		}
		w.fail("decided", a, b)
	}
	w.owed()
}

func words(list ...string) string {
	if list[2] == "" {
		list[2] = "nobody"
	}
	return strings.TrimSpace(strings.Join(list, " "))
}

// owed compares what is owed, and who is there.
func (w *world) owed() {
	var got, want []string
	for k, o := range w.ours.Pending {
		got = append(got, fmt.Sprint(k.Node, " ", k.Class, " for ", o.Count, " rule ", o.Rule, " since ", w.ago(o.Since), " due ", w.ago(o.Due), " tries ", o.Attempt, " taken ", o.Claimed(w.now)))
	}
	for _, o := range w.theirs.Owed() {
		want = append(want, fmt.Sprint(o.Device, " ", session.Class(o.Class), " for ", o.Count, " rule ", o.Rule, " since ", w.ago(time.UnixMilli(o.Since)), " due ", w.ago(time.UnixMilli(o.Due)), " tries ", o.Attempts, " taken ", o.Lease > w.millis()))
	}
	w.same("owed", got, want)
	got, want = nil, nil
	for a, ep := range w.ours.Endpoints {
		got = append(got, fmt.Sprintf("%s %q", a.Node, ep.Dead))
	}
	for name, why := range w.theirs.Wakeable() {
		want = append(want, fmt.Sprintf("%s %q", name, why))
	}
	w.same("devices", got, want)
	got, want = nil, nil
	for sid, s := range w.ours.Sessions {
		got = append(got, fmt.Sprintf("%s %s", sid, s.State))
	}
	for sid, s := range w.theirs.Sessions() {
		want = append(want, fmt.Sprintf("%s %s", sid, session.State(s)))
	}
	w.same("sessions", got, want)
}

func (w *world) ago(t time.Time) time.Duration { return t.Sub(w.now) }

func (w *world) same(what string, got, want []string) {
	sort.Strings(got)
	sort.Strings(want)
	if !slices.Equal(got, want) {
		w.fail(what, strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

func (w *world) fail(what, got, want string) {
	w.t.Fatalf("the rules and their oracle differ (%s)\n rules  %s\n oracle %s\nas a file for rouse simulate (what no line can say is a comment):\n"+
		"-- rouse.toml --\n[rules]\ncoalesce = %q\ncalls_per_minute = %d\nsilent_per_hour = %d\ngrace = %q\n-- history --\n%s\n",
		what, got, want, w.policy.Coalesce.String(), w.policy.Calls, w.policy.Silents, w.policy.Grace.String(), strings.Join(w.script, "\n"))
}

// translated is an event in the oracle's words.
func translated(e session.Event) oracle.Event {
	o := oracle.Event{Kind: string(e.Kind), Session: e.Session, Node: e.Node, Epoch: int(e.Epoch), N: int(e.N), Batch: int(e.Told.Seq),
		Resource: e.Resource, Client: e.Client, State: oracle.State(e.State), Class: oracle.Class(e.Class), Key: e.Key, Tag: e.Tag, Chat: e.Chat, Stranger: e.Stranger, Out: int(e.Out),
		Acked: int(e.Acked), Count: e.Count, Heard: e.Heard, Device: e.Address.Node, Reason: e.Reason, Filter: translatedFilter(e.Filter)}
	for _, u := range e.Unread {
		o.Unread = append(o.Unread, oracle.Unread{Class: oracle.Class(u.Class), Last: int(u.Last), Count: u.Count, Key: u.Key, Tag: u.Tag, Chat: u.Chat, Stranger: u.Stranger})
	}
	for _, p := range e.Published {
		o.Published = append(o.Published, p.Node)
	}
	return o
}

// pass lets time pass: answers come, and what is due goes out, in that order.
func (w *world) pass(d time.Duration) {
	to := w.now.Add(d)
	w.say("+%s", d)
	for range 1000 {
		next := to
		for _, f := range w.flying {
			if f.at.Before(next) {
				next = f.at
			}
		}
		for _, o := range w.theirs.Owed() {
			if at := time.UnixMilli(w.theirs.Hold(o, o.Due)).UTC(); !w.flies(o) && at.After(w.now) && at.Before(next) {
				next = at
			}
		}
		if next.After(w.now) {
			w.now = next
		}
		w.answers()
		w.send()
		if !w.now.Before(to) {
			return
		}
	}
	w.fail("time", "too much happens", "")
}

func (w *world) flies(o oracle.Wake) bool {
	return slices.ContainsFunc(w.flying, func(f flight) bool { return f.theirs.Number == o.Number })
}

// answers has the answers come for which it is time.
func (w *world) answers() {
	for {
		i := slices.IndexFunc(w.flying, func(f flight) bool { return !f.at.After(w.now) })
		if i < 0 {
			return
		}
		f := w.flying[i]
		w.flying = slices.Delete(w.flying, i, i+1)
		w.answer(f)
	}
}

func (w *world) answer(f flight) {
	due := w.now.Add(f.again)
	why := "the provider says so"
	if f.verdict == session.Died {
		why = "410"
	}
	var ours []session.Reason
	w.ours, ours = business.Settle(w.ours, f.key, f.ours, session.Settlement{Verdict: f.verdict, Once: f.once, At: w.now, Due: due, Why: why}, w.policy)
	w.compare(ours, w.theirs.Answer(f.theirs, string(f.verdict), f.once, due.UnixMilli(), w.millis()))
}

// send has a worker take what is due, as serve does: a silent wake may have to wait.
func (w *world) send() {
	list := w.theirs.Owed()
	slices.SortFunc(list, func(a, b oracle.Wake) int { return a.Number - b.Number })
	for _, o := range list {
		if w.flies(o) || o.Due > w.millis() {
			continue
		}
		key := session.WakeKey{Address: session.Address{Service: service, Node: o.Device}, Class: session.Class(o.Class)}
		hold, _ := business.Hold(w.ours, key, w.policy, w.now)
		if at := w.theirs.Hold(o, w.millis()); hold.IsZero() != (at == w.millis()) || !hold.IsZero() && hold.UnixMilli() != at {
			w.fail("hold", hold.String(), time.UnixMilli(at).String())
		} else if !hold.IsZero() {
			continue
		}
		f := flight{key: key, verdict: session.Sent}
		takes := time.Duration(0)
		if n := rapid.IntRange(0, 9).Draw(w.t, "answer"); n > 3 {
			takes = time.Duration(rapid.IntRange(0, 20).Draw(w.t, "takes")) * time.Second
			switch {
			case n > 8:
				f.verdict = session.Died
			case n > 7:
				f.verdict = session.GaveUp
			case n == 4:
				f.once = true
			case n > 5:
				f.verdict, f.again = session.Again, time.Duration(rapid.IntRange(1, 60).Draw(w.t, "again"))*time.Second
			}
			text := string(f.verdict)
			if f.verdict == session.Again {
				text += "=" + f.again.String()
			}
			if f.verdict == session.Died {
				text = "died"
			}
			w.before("provider %s %s takes=%s", o.Device, text, takes)
		}
		f.at = w.now.Add(takes)
		lease := f.at.Add(time.Minute)
		w.ours = w.ours.Clone()
		f.ours = w.ours.Pending[key]
		f.ours.Lease, f.ours.Due, f.ours.Sent = lease, lease, f.ours.Count
		w.ours.Pending[key] = f.ours
		w.theirs.Take(o.Number, lease.UnixMilli())
		f.theirs = oracle.Wake{Number: o.Number, Lease: lease.UnixMilli(), Took: o.Count}
		w.flying = append(w.flying, f)
	}
}

// forget: both rouse and its workers begin anew, from what is stored.
func (w *world) forget() {
	b, err := json.Marshal(w.ours)
	if err != nil {
		w.t.Fatal(err)
	}
	a := session.Account{}
	if err := json.Unmarshal(b, &a); err != nil {
		w.t.Fatal(err)
	}
	a.Pending = w.ours.Pending
	w.ours = a.Clone()
	w.say("# rouse begins anew")
}
