package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/component/p2"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// TestScenes plays testdata/scenes on real servers with real clients. A scene is
// a story of one line for each thing that happens or has to be so:
//
//	with OPTION...                     first, if at all: ack-delay=2s archive=off resume-timeout=1s coalesce=0s grace=10m repeat=3s
//	DEVICE comes [by apns|by webpush] [by websocket] [with carbons]   juliet logs in there, registers and enables push
//	DEVICE logs in                     again, without enabling push
//	DEVICE sleeps | wakes up           the connection breaks; the session is resumed
//	DEVICE leaves                      logs out
//	DEVICE forgets its session         will not resume it
//	DEVICE is replaced                 another client logs in with its resource
//	DEVICE freezes | thaws             stops reading and acknowledging, and goes on
//	DEVICE is inactive | is active     XEP-0352
//	DEVICE is late | is heard          that it does not acknowledge was reported; that it does again
//	DEVICE enables push | disables push   disabling is for all devices
//	DEVICE disables its push
//	DEVICE reads ID                    has that message, and the server knows
//	DEVICE shows ID                    to its user, and says so (XEP-0333)
//	DEVICE is woken again | is back     for what it was woken for; where nothing is owed then
//	DEVICE wants no romeo | no groups | no strangers | only mentions in the room | everything    in its <enable/>, as its app chose
//	juliet wants ... on all her devices, by DEVICE                                               the same as push-filters, from there
//	DEVICE takes the call              that romeo proposed last
//	everyone catches up                all devices that are connected have what was sent, and the server knows
//	DEVICE joins the room
//	ANYBODY writes ID [to WHOM]        a message with a body; to d.juliet(), to romeo, or to the room
//	romeo sends WHAT [to the room]     composing, receipt, displayed, subject, encrypted, call
//	romeo hangs up                     before anybody took the call
//	romeo joins the room
//	juliet is deleted
//	reported KIND N                    so many events of a kind were reported by now
//	woken nobody before it is late     of what romeo sent last: a busy machine may have let more time pass
//	a wake waits                       is owed, and nobody was woken
//	woken nobody | woken DEVICE...     since the beginning, once for each wake, and no other wake is owed: each other was withdrawn, for it was read elsewhere
//	the wake came within DURATION      of romeo's last stanza
//	the wake has priority WORD
//	the wake rings                     is of use for as long as a phone rings, and is never put aside
//
// Lines beginning with # say why.
func TestScenes(t *testing.T) {
	t.Parallel()
	for _, s := range scenes(t) {
		t.Run(s.name, func(t *testing.T) {
			both(t, s.wish, func(t *testing.T, p *play) { s.play(t, p) })
		})
	}
}

// drama is a scene that is being played.
type drama struct {
	*play
	devices   map[string]*lab.Client
	providers map[string]string
	up        map[string]bool // connected, and not frozen
	late      map[string]bool // who does not acknowledge, and rouse knows
	ackDelay  time.Duration   // that the scene wished for
	spoke     moment          // when romeo last sent something
	stanzas   int
	call      string // that romeo proposed last
}

func (s storyline) play(t *testing.T, p *play) {
	d := newDrama(p)
	d.ackDelay = s.wish.ackDelay
	for i, line := range s.lines {
		d.line(t, fmt.Sprintf("%s:%d", s.file, i+1), line)
	}
}

func newDrama(p *play) *drama {
	return &drama{play: p, devices: map[string]*lab.Client{}, providers: map[string]string{}, up: map[string]bool{}, late: map[string]bool{}}
}

// line plays one, and says which it was if the test fails there.
func (d *drama) line(t *testing.T, place, line string) {
	words := strings.Fields(line)
	if len(words) == 0 || words[0] == "#" {
		return
	}
	played := false
	defer func() {
		if !played || t.Failed() {
			t.Logf("%s: %s", place, line)
		}
	}()
	if err := d.act(words); err != nil {
		t.Fatal(err)
	}
	played = true
}

// act plays one line. What goes wrong on the stage fails the test; what is wrong
// with the line is the error.
func (d *drama) act(words []string) error {
	d.t.Helper()
	who, what := words[0], strings.Join(words[1:], " ")
	switch who {
	case "a":
		if what == "wake waits" {
			return d.waiting()
		}
	case "woken":
		if what == "nobody before it is late" {
			return d.notYet()
		}
		if what == "nobody" {
			words = words[:1]
		}
		d.wants(words[1:]...)
		return nil
	case "reported":
		var kind string
		var n int
		if _, err := fmt.Sscanf(what, "%s %d", &kind, &n); err != nil {
			return err
		}
		d.saw(kind, n)
		return nil
	case "the":
		return d.theWake(strings.TrimPrefix(what, "wake "))
	case "everyone":
		if what != "catches up" {
			break
		}
		for name, c := range d.devices {
			if d.up[name] {
				d.must(c.CatchUp(d.ctx))
			}
		}
		return nil
	case "juliet":
		if wish, ok := strings.CutPrefix(what, "wants "); ok {
			return d.chooses(wish)
		}
		if what != "is deleted" {
			break
		}
		d.must(d.server.DeleteUser(d.ctx, "juliet"))
		return nil
	}
	if who == "romeo" && what == "hangs up" {
		d.stanza(lab.Hangup(d.juliet(), "over-"+d.call, d.call))
		return nil
	}
	if id, to, ok := parse(what, "writes"); ok {
		return d.writes(who, id, to)
	}
	if kind, to, ok := parse(what, "sends"); ok && who == "romeo" {
		return d.sendsKind(kind, to)
	}
	if what == "joins the room" {
		c := d.romeo
		if who != "romeo" {
			c = d.device(who)
		}
		d.must(c.Join(d.ctx, d.room(), who))
		return nil
	}
	return d.deviceDoes(who, what)
}

// parse reads "VERB WHAT" and "VERB WHAT to WHOM".
func parse(text, verb string) (what, to string, ok bool) {
	text, ok = strings.CutPrefix(text, verb+" ")
	what, to, _ = strings.Cut(text, " to ")
	return what, to, ok
}

func (d *drama) device(name string) *lab.Client {
	d.t.Helper()
	c := d.devices[name]
	if c == nil {
		d.t.Fatalf("there is no device %q yet", name)
	}
	return c
}

func (d *drama) deviceDoes(name, what string) error {
	d.t.Helper()
	if rest, ok := strings.CutPrefix(what, "comes"); ok {
		return d.comes(name, rest)
	}
	c := d.device(name)
	if id, ok := strings.CutPrefix(what, "reads "); ok {
		_, err := c.AwaitBody(d.ctx, "body of "+id)
		d.must(err)
		d.must(c.CatchUp(d.ctx))
		return nil
	}
	if id, ok := strings.CutPrefix(what, "shows "); ok {
		n := d.events("read")
		d.must(c.Send(d.ctx, lab.Displayed("romeo@"+d.server.Host(), "shown-"+id, id)))
		d.saw("read", n+1)
		return nil
	}
	if wish, ok := strings.CutPrefix(what, "wants "); ok {
		return d.wishes(name, wish)
	}
	switch what {
	case "is woken again", "is back":
		d.expected(what)
	case "takes the call":
		n := d.events("taken")
		d.must(c.Send(d.ctx, lab.Proceed("romeo@"+d.server.Host(), d.call)))
		d.saw("taken", n+1)
	case "sleeps":
		d.up[name] = false
		delete(d.late, name)
		d.sleeps(c)
	case "wakes up":
		d.wakesUp(c)
		d.up[name] = true
	case "leaves":
		d.up[name] = false
		d.leaves(c)
	case "forgets its session":
		d.must(c.Forget(d.ctx))
	case "logs in":
		n := d.events("bind")
		resumed, err := c.Login(d.ctx)
		d.must(err)
		if resumed {
			d.t.Fatal("the old session was resumed")
		}
		d.saw("bind", n+1)
		d.up[name] = true
	case "is replaced":
		n, ended := d.events("bind"), d.events("ended")
		d.devices[name] = d.client("juliet", name, lab.ClientOptions{})
		d.saw("bind", n+1)
		d.saw("ended", ended+1)
		d.up[name] = true
	case "freezes":
		d.must(c.Freeze(d.ctx))
		d.up[name] = false
	case "thaws":
		d.must(c.Thaw(d.ctx))
		d.up[name] = true
	case "is late":
		d.late[name] = true
		d.delayed("at least", func(n int) bool { return n >= len(d.late) })
	case "is heard":
		delete(d.late, name)
		d.delayed("at most", func(n int) bool { return n <= len(d.late) })
	default:
		return d.tells(name, what, c)
	}
	return nil
}

// delayed waits until rouse knows of enough, or few enough, sessions that do not
// acknowledge: several may be late, or heard from, in one moment.
func (d *drama) delayed(bound string, enough func(n int) bool) {
	d.t.Helper()
	d.must(d.await(d.ctx, fmt.Sprintf("%s %d sessions that do not acknowledge", bound, len(d.late)), func() bool {
		n, err := strconv.Atoi(d.gauge(`rouse_sessions{state="delayed"}`))
		return err == nil && enough(n)
	}))
}

// tells has a device tell the server what it wants.
func (d *drama) tells(name, what string, c *lab.Client) error {
	d.t.Helper()
	service := d.server.Rouse().JID
	switch what {
	case "is inactive":
		n := d.events("csi")
		d.must(c.Inactive(d.ctx))
		d.saw("csi", n+1)
	case "is active":
		n := d.events("csi")
		d.must(c.Active(d.ctx))
		d.saw("csi", n+1)
	case "enables push":
		d.enableBy(d.providers[name], c, name)
	case "disables push", "disables its push":
		node := ""
		if what == "disables its push" {
			node = d.nodes[name].Node
		}
		n := d.events("disable")
		d.must(c.DisablePush(d.ctx, service, node))
		d.saw("disable", n+1)
	default:
		return fmt.Errorf("a device cannot do that")
	}
	return nil
}

func (d *drama) comes(name, how string) error {
	provider, o := "fcm", lab.ClientOptions{}
	for _, way := range strings.Split(how, " ")[1:] {
		switch way {
		case "apns", "webpush":
			provider = way
		case "websocket":
			o.Addr = d.webSocket()
		case "carbons":
			o.Carbons = true
		case "by", "with":
		default:
			return fmt.Errorf("nobody comes %q", way)
		}
	}
	c := d.client("juliet", name, o)
	d.providers[name] = provider
	d.enableBy(provider, c, name)
	d.devices[name], d.up[name] = c, true
	return nil
}

// stanza has romeo send one, and waits until all that came of it is decided.
func (d *drama) stanza(xml string) {
	d.t.Helper()
	d.spoke = mark()
	d.says(xml)
}

// notYet wants no wake that came before an acknowledgement could be late.
func (d *drama) notYet() error {
	d.t.Helper()
	if d.ackDelay == 0 {
		return errors.New("the scene does not say when an acknowledgement is late: with ack-delay=2s")
	}
	d.settle()
	for _, w := range d.wakes() {
		if after := w.At.Sub(d.spoke.at); after < d.ackDelay {
			d.t.Fatalf("woken: %q, the last %v after romeo's stanza; decisions: %v", d.woken(), after, d.told())
		}
	}
	return nil
}

func (d *drama) writes(who, id, to string) error {
	d.t.Helper()
	body := "body of " + id
	switch {
	case who == "romeo" && to == "the room":
		d.stanza(lab.GroupChat(d.room(), id, body))
	case to == "the room":
		d.must(d.device(who).Send(d.ctx, lab.GroupChat(d.room(), id, body)))
		_, err := d.romeo.AwaitBody(d.ctx, body)
		d.must(err)
		d.settle()
	case who == "romeo" && (to == "" || to == "juliet"):
		d.stanza(lab.Chat(d.juliet(), id, body))
	case to == "romeo":
		d.must(d.device(who).Send(d.ctx, lab.Chat("romeo@"+d.server.Host(), id, body)))
		_, err := d.romeo.AwaitBody(d.ctx, body)
		d.must(err)
	default:
		return fmt.Errorf("%s cannot write to %q", who, to)
	}
	return nil
}

func (d *drama) sendsKind(kind, to string) error {
	d.t.Helper()
	d.stanzas++
	id := fmt.Sprintf("%s-%d", kind, d.stanzas)
	switch {
	case kind == "subject" && to == "the room":
		d.stanza(lab.Subject(d.room(), id, "On balconies"))
	case to != "":
		return fmt.Errorf("only a subject goes to the room")
	case kind == "composing":
		d.stanza(lab.Composing(d.juliet(), id))
	case kind == "receipt":
		d.stanza(lab.Receipt(d.juliet(), id, "m0"))
	case kind == "displayed":
		d.stanza(lab.Displayed(d.juliet(), id, "m0"))
	case kind == "encrypted":
		d.stanza(lab.Encrypted(d.juliet(), id))
	case kind == "call":
		d.call = id
		d.stanza(lab.Propose(d.juliet(), id))
	default:
		return fmt.Errorf("romeo cannot send %q", kind)
	}
	return nil
}

// theWake looks at the last one, and that it tells nobody too much.
func (d *drama) theWake(is string) error {
	d.t.Helper()
	w := d.last()
	if limit, ok := strings.CutPrefix(is, "came within "); ok {
		most, err := time.ParseDuration(limit)
		took, waited := w.At.Sub(d.spoke.at), busy()-d.spoke.busy
		if err == nil && took-waited > most {
			d.t.Errorf("the wake came %v after romeo's stanza, and the processors were busy for %v; want within %v", took, waited, most)
		}
		return err
	}
	if priority, ok := strings.CutPrefix(is, "has priority "); ok {
		if w.Priority != priority {
			d.t.Errorf("priority %q, want %q", w.Priority, priority)
		}
		return nil
	}
	if is != "rings" {
		return fmt.Errorf("nothing is known of such a wake")
	}
	if w.TTL > time.Minute || w.TTL <= 0 || w.Collapse != "" {
		d.t.Errorf("ttl %v, collapse key %q", w.TTL, w.Collapse)
	}
	return nil
}

// TestAWakeTellsNobodyTooMuch: the device finds its account in it, and neither the
// wake nor the log holds what is secret.
func TestAWakeTellsNobodyTooMuch(t *testing.T) {
	p := begin(t, lab.Options{})
	phone := p.device("phone")
	p.sleeps(phone)
	p.chat("m1")
	p.wants("phone")
	if w := p.last(); w.Account != p2.Device(p.juliet(), "phone") {
		t.Errorf("woken as %+v", w)
	}
	p.noSecrets("body of m1", pushtest.FCMToken("phone"), p.nodes["phone"].Secret, p.nodes["phone"].Node)
}
