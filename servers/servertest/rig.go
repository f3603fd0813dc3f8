package servertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

// NS is what an element of the format has in front of its other attributes.
const NS = " xmlns='rouse:events:0'"

// Others is a push service of others.
var Others = lab.Component{JID: "push.others.test", Secret: "others"}

// Server is what the rig has to know of a server that runs.
type Server interface {
	Host() string
	Rouse() lab.Component
	ClientAddr() string
	ComponentAddr() string
}

// Rig is a server with mod_rouse, a fake rouse, and bob, who writes to alice.
type Rig struct {
	T       *testing.T
	Ctx     context.Context
	F       *Fake
	At      *Cursor
	Bob     *lab.Client
	Settle  func() // returns when the server has worked off what clients have sent; nil where it does so in order
	server  Server
	clients *lab.Clients
	users   map[string]string
}

// NewRig connects the fake rouse and logs bob in. users has the passwords of
// alice, bob and carol, who must have accounts.
func NewRig(t *testing.T, ctx context.Context, s Server, clients *lab.Clients, users map[string]string) *Rig {
	t.Helper()
	r := NewRigWithoutModule(t, ctx, s, clients, users)
	r.Event("bind", "user", "bob")
	return r
}

// NewRigWithoutModule is NewRig for a server that does not report anything yet.
func NewRigWithoutModule(t *testing.T, ctx context.Context, s Server, clients *lab.Clients, users map[string]string) *Rig {
	t.Helper()
	r := &Rig{T: t, Ctx: ctx, server: s, clients: clients, users: users}
	r.F = NewFake(t, s.ComponentAddr(), s.Rouse())
	r.F.Connect()
	r.At = r.F.Mark()
	r.Bob = r.Login("bob/desk", func(o *lab.ClientOptions) { o.NoSM = true })
	return r
}

// Check ends the test where there is an error.
func (r *Rig) Check(err error) {
	r.T.Helper()
	if err != nil {
		r.T.Fatal(err)
	}
}

// Login connects a client; who is local part and resource.
func (r *Rig) Login(who string, change ...func(*lab.ClientOptions)) *lab.Client {
	r.T.Helper()
	user, resource, _ := strings.Cut(who, "/")
	opt := lab.ClientOptions{JID: r.JID(user) + "/" + resource, Password: r.users[user], Addr: r.server.ClientAddr()}
	for _, f := range change {
		f(&opt)
	}
	c, err := r.clients.Login(r.Ctx, opt)
	r.Check(err)
	return c
}

// Fits tells whether an element has that name, any where it is "", and those attributes.
func Fits(name string, pairs []string) func(Element) bool {
	return func(e Element) bool {
		if name != "" && e.XMLName.Local != name {
			return false
		}
		for i := 0; i < len(pairs); i += 2 {
			if e.Attr(pairs[i]) != pairs[i+1] {
				return false
			}
		}
		return true
	}
}

// Event goes forward to the next event of that name and those attributes.
func (r *Rig) Event(name string, pairs ...string) Element {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.Ctx, 30*time.Second)
	defer cancel()
	e, passed, err := r.At.Find(ctx, Fits(name, pairs))
	if err != nil {
		r.T.Fatalf("%v: %s %v; came: %v", err, name, pairs, passed)
	}
	return e
}

// Nothing fails if an event of one of these names comes before a marker that is made now.
func (r *Rig) Nothing(names ...string) {
	r.T.Helper()
	for _, e := range r.Marker() {
		if slices.Contains(names, e.XMLName.Local) {
			r.T.Fatalf("came, and should not: %v", e)
		}
	}
}

// Marker makes something happen that nothing else here does, and returns the events before it.
func (r *Rig) Marker() []Element {
	r.T.Helper()
	if r.Settle != nil {
		r.Settle()
	}
	r.Check(r.Bob.Active(r.Ctx))
	ctx, cancel := context.WithTimeout(r.Ctx, 30*time.Second)
	defer cancel()
	_, passed, err := r.At.Find(ctx, Fits("csi", []string{"user", "bob"}))
	if err != nil {
		r.T.Fatalf("the marker did not come; came: %v", passed)
	}
	return passed
}

// Say has bob write to alice; the id of the message is made of the body.
func (r *Rig) Say(body string) {
	r.T.Helper()
	r.Send(lab.Chat(r.JID("alice"), "id-"+body, body))
}

// Send has bob send a stanza.
func (r *Rig) Send(stanza string) {
	r.T.Helper()
	r.Check(r.Bob.Send(r.Ctx, stanza))
}

// JID is the bare JID of a user.
func (r *Rig) JID(user string) string { return user + "@" + r.server.Host() }

// Want fails unless the event has these attributes; an empty value means that there must be none.
func (r *Rig) Want(e Element, pairs ...string) {
	r.T.Helper()
	if !Fits("", pairs)(e) {
		r.T.Errorf("%v: want %v", e, pairs)
	}
}

// WantUnread fails unless the event has exactly these <unread/>, each as "class last count".
func (r *Rig) WantUnread(e Element, want ...string) {
	r.T.Helper()
	var got []string
	for _, c := range e.Children {
		if c.XMLName.Local == "unread" {
			got = append(got, c.Attr("class")+" "+c.Attr("last")+" "+c.Attr("count"))
			if c.Attr("key") == "" || c.Attr("tag") == "" || c.Attr("chat") == "" {
				r.T.Errorf("%v: no key, no tag, or no chat", c)
			}
		}
	}
	if !slices.Equal(got, want) {
		r.T.Errorf("%v: unread %q, want %q", e, got, want)
	}
}

// WaitFor tries again, 20 times a second, until it is so.
func (r *Rig) WaitFor(what string, so func() bool) {
	r.T.Helper()
	ctx, cancel := context.WithTimeout(r.Ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.T.Fatalf("it never came to this: %s", what)
		}
	}
}

// LastBatch is the batch that came last.
func (r *Rig) LastBatch() Element {
	all := r.F.Batches()
	return all[len(all)-1]
}

// Reconnect brings rouse back and waits until the server has taken notice of bob.
func (r *Rig) Reconnect() {
	r.T.Helper()
	r.F.Connect()
	_, err := r.Bob.IQ(r.Ctx, r.server.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	r.Check(err)
}

// Service connects the push service of others.
func (r *Rig) Service() *Fake {
	r.T.Helper()
	f := NewFake(r.T, r.server.ComponentAddr(), Others)
	f.Connect()
	return f
}

// Enable has a client enable push.
func (r *Rig) Enable(c *lab.Client, service, node string) {
	r.T.Helper()
	r.Check(c.EnablePush(r.Ctx, lab.Registration{Service: service, Node: node, Secret: "secret of " + node}))
	r.Event("enable", "service", service, "node", node)
}

// Ask has rouse ask the server's module for something.
func (r *Rig) Ask(payload string) Element {
	r.T.Helper()
	return r.F.Ask(r.Ctx, r.server.Host(), payload)
}

// Condition is the error of an answer as "type condition", "" for a result.
func Condition(e Element) string {
	err, ok := e.Child("error")
	if !ok {
		return ""
	}
	for _, c := range err.Children {
		if c.XMLName.Local != "text" {
			return err.Attr("type") + " " + c.XMLName.Local
		}
	}
	return "error"
}

// Fingerprint is how docs/events.md shows a publish secret.
func Fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:16])
}

// Plus is the decimal number s and n more.
func Plus(s string, n int) string {
	i, err := strconv.Atoi(s)
	if err != nil {
		return "not a number: " + s
	}
	return strconv.Itoa(i + n)
}

// Number is the decimal number s.
func Number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
