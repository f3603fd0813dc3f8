package prosody_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
)

var clients *lab.Clients // one process for all tests

func TestMain(m *testing.M) {
	var err error
	if clients, err = lab.StartClients(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := clients.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// rig is a Prosody with mod_rouse, a fake rouse, a phone and somebody who writes to it.
type rig struct {
	t     *testing.T
	ctx   context.Context
	p     *lab.Prosody
	f     *fake
	at    *cursor
	bob   *lab.Client
	users map[string]string
}

func newRig(t *testing.T, change ...func(*lab.Options)) *rig {
	t.Helper()
	t.Parallel() // they wait more than they work
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	opt := lab.Options{Dir: t.TempDir(), AckDelay: 2 * time.Second,
		Users: map[string]string{"alice": "a", "bob": "b", "carol": "c"}}
	for _, f := range change {
		f(&opt)
	}
	p, err := lab.StartProsody(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, ctx: ctx, p: p, users: opt.Users}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of Prosody's log:\n%s", warnings(p))
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	r.f = newFake(t, p.ComponentAddr(), p.Rouse())
	r.f.connect()
	r.at = r.f.mark()
	r.bob = r.login("bob/desk", func(o *lab.ClientOptions) { o.NoSM = true })
	r.event("bind", "user", "bob")
	return r
}

// warnings is what Prosody logged about mod_rouse and whatever is not right.
func warnings(p *lab.Prosody) string {
	var keep []string
	for _, line := range strings.Split(p.LogTail(20000), "\n") {
		f := strings.Fields(line)
		if len(f) > 4 && (strings.HasSuffix(f[3], ":rouse") || f[4] == "warn" || f[4] == "error") || strings.HasPrefix(line, "\t") {
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// login connects a client; who is local part and resource.
func (r *rig) login(who string, change ...func(*lab.ClientOptions)) *lab.Client {
	r.t.Helper()
	user, resource, _ := strings.Cut(who, "/")
	opt := lab.ClientOptions{JID: user + "@" + r.p.Host() + "/" + resource, Password: r.users[user], Addr: r.p.ClientAddr()}
	for _, f := range change {
		f(&opt)
	}
	c, err := clients.Login(r.ctx, opt)
	r.check(err)
	return c
}

func fits(name string, pairs []string) func(element) bool {
	return func(e element) bool {
		if name != "" && e.XMLName.Local != name {
			return false
		}
		for i := 0; i < len(pairs); i += 2 {
			if e.attr(pairs[i]) != pairs[i+1] {
				return false
			}
		}
		return true
	}
}

// event goes forward to the next event of that name and those attributes.
func (r *rig) event(name string, pairs ...string) element {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 12*time.Second)
	defer cancel()
	e, passed, err := r.at.find(ctx, fits(name, pairs))
	if err != nil {
		r.t.Fatalf("%v: %s %v; came: %v", err, name, pairs, passed)
	}
	return e
}

// nothing fails if an event of one of these names comes before a marker that is made now.
func (r *rig) nothing(names ...string) {
	r.t.Helper()
	for _, e := range r.marker() {
		for _, name := range names {
			if e.XMLName.Local == name {
				r.t.Fatalf("came, and should not: %v", e)
			}
		}
	}
}

// marker makes something happen that nothing else here does, and returns the events before it.
func (r *rig) marker() []element {
	r.t.Helper()
	r.check(r.bob.Active(r.ctx))
	ctx, cancel := context.WithTimeout(r.ctx, 12*time.Second)
	defer cancel()
	_, passed, err := r.at.find(ctx, fits("csi", []string{"user", "bob"}))
	if err != nil {
		r.t.Fatalf("the marker did not come; came: %v", passed)
	}
	return passed
}

// say has bob write to alice; the id of the message is made of the body.
func (r *rig) say(body string) {
	r.t.Helper()
	r.check(r.bob.Send(r.ctx, lab.Chat("alice@"+r.p.Host(), "id-"+body, body)))
}

// send has bob send a stanza.
func (r *rig) send(stanza string) {
	r.t.Helper()
	r.check(r.bob.Send(r.ctx, stanza))
}

func (r *rig) jid(user string) string { return user + "@" + r.p.Host() }

// want fails unless the event has these attributes; an empty value means that there must be none.
func (r *rig) want(e element, pairs ...string) {
	r.t.Helper()
	if !fits("", pairs)(e) {
		r.t.Errorf("%v: want %v", e, pairs)
	}
}

// wantUnread fails unless the event has exactly these <unread/>, each as "class last count".
func (r *rig) wantUnread(e element, want ...string) {
	r.t.Helper()
	var got []string
	for _, c := range e.Children {
		if c.XMLName.Local == "unread" {
			got = append(got, c.attr("class")+" "+c.attr("last")+" "+c.attr("count"))
			if c.attr("key") == "" {
				r.t.Errorf("%v: no key", c)
			}
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("%v: unread %q, want %q", e, got, want)
	}
}

// plus is the decimal number s and n more.
func plus(s string, n int) string {
	i, err := strconv.Atoi(s)
	if err != nil {
		return "not a number: " + s
	}
	return strconv.Itoa(i + n)
}
