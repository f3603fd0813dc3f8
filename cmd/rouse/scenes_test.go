package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/component/p2"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// TestScenes plays testdata/scenes on a real server with real clients. A scene is
// a story of one line for each thing that happens or has to be so:
//
//	with OPTION...                     first, if at all: ack-delay=2s archive=off resume-timeout=1s rooms
//	DEVICE comes [by apns] [with carbons]   juliet logs in there, registers and enables push
//	DEVICE logs in                     again, without enabling push
//	DEVICE sleeps | wakes up           the connection breaks; the session is resumed
//	DEVICE leaves                      logs out
//	DEVICE forgets its session         will not resume it
//	DEVICE is replaced                 another client logs in with its resource
//	DEVICE freezes | thaws             stops reading and acknowledging, and goes on
//	DEVICE is inactive | is active     XEP-0352
//	DEVICE disables push
//	DEVICE reads ID                    has that message
//	DEVICE joins the room
//	ANYBODY writes ID [to WHOM]        a message with a body; to juliet, to romeo, or to the room
//	romeo sends WHAT [to the room]     composing, receipt, displayed, subject, encrypted, call
//	romeo joins the room
//	juliet is deleted
//	reported KIND N                    so many events of a kind were reported by now
//	woken nobody | woken DEVICE...     since the beginning, once for each wake, and no other wake is owed
//	the wake came within DURATION      of romeo's last stanza
//	the wake has priority WORD
//	the wake rings                     is of use for as long as a phone rings, and is never put aside
//
// Lines beginning with # say why.
func TestScenes(t *testing.T) {
	files, err := filepath.Glob("testdata/scenes/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenes: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			playScene(t, file, string(text))
		})
	}
}

const room = "verona@rooms.example.test"

// drama is a scene that is being played.
type drama struct {
	*play
	devices map[string]*lab.Client
	spoke   time.Time // when romeo last sent something
	stanzas int
}

func playScene(t *testing.T, file, text string) {
	lines := strings.Split(text, "\n")
	var o lab.Options
	first := 0
	for ; first < len(lines); first++ {
		words := strings.Fields(lines[first])
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] != "with" {
			break
		}
		if err := sceneOptions(words[1:], &o); err != nil {
			t.Fatalf("%s:%d: %v", file, first+1, err)
		}
	}
	d := &drama{play: begin(t, o), devices: map[string]*lab.Client{}}
	line := 0
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:%d: %s", file, line+1, lines[line])
		}
	})
	for line = first; line < len(lines); line++ {
		words := strings.Fields(lines[line])
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if err := d.act(words); err != nil {
			t.Fatal(err)
		}
	}
	line--
}

func sceneOptions(words []string, o *lab.Options) (err error) {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		switch {
		case key == "ack-delay":
			o.AckDelay, err = time.ParseDuration(value)
		case key == "resume-timeout":
			o.Hibernation, err = time.ParseDuration(value)
		case w == "archive=off":
			o.NoArchive = true
		case w == "rooms":
			_, o.Rooms, _ = strings.Cut(room, "@")
		default:
			err = fmt.Errorf("unknown option %q", w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// act plays one line. What goes wrong on the stage fails the test; what is wrong
// with the line is the error.
func (d *drama) act(words []string) error {
	d.t.Helper()
	who, what := words[0], strings.Join(words[1:], " ")
	switch who {
	case "woken":
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
	case "juliet":
		if what != "is deleted" {
			break
		}
		_, err := d.prosody.Shell(d.ctx, `user:delete("`+juliet+`")`)
		d.must(err)
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
		d.must(c.Join(d.ctx, room, who))
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
		return nil
	}
	switch what {
	case "sleeps":
		d.sleeps(c)
	case "wakes up":
		d.wakesUp(c)
	case "leaves":
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
	case "is replaced":
		n, ended := d.events("bind"), d.events("ended")
		d.devices[name] = d.client("juliet", name, lab.ClientOptions{})
		d.saw("bind", n+1)
		d.saw("ended", ended+1)
	case "freezes":
		d.must(c.Freeze(d.ctx))
	case "thaws":
		d.must(c.Thaw(d.ctx))
	case "is inactive", "is active":
		n := d.events("csi")
		do := c.Inactive
		if what == "is active" {
			do = c.Active
		}
		d.must(do(d.ctx))
		d.saw("csi", n+1)
	case "disables push":
		n := d.events("disable")
		d.must(c.DisablePush(d.ctx, d.prosody.Rouse().JID, ""))
		d.saw("disable", n+1)
	default:
		return fmt.Errorf("a device cannot do that")
	}
	return nil
}

func (d *drama) comes(name, how string) error {
	provider, o := "fcm", lab.ClientOptions{}
	if how, o.Carbons = strings.CutSuffix(how, " with carbons"); how == " by apns" {
		provider = "apns"
	} else if how != "" {
		return fmt.Errorf("comes by apns, with carbons, or just comes")
	}
	c := d.client("juliet", name, o)
	d.enableBy(provider, c, name)
	d.devices[name] = c
	return nil
}

// stanza has romeo send one, and waits until all that came of it is decided.
func (d *drama) stanza(xml string) {
	d.t.Helper()
	d.spoke = time.Now()
	d.says(xml)
}

func (d *drama) writes(who, id, to string) error {
	d.t.Helper()
	body := "body of " + id
	switch {
	case who == "romeo" && to == "the room":
		d.stanza(lab.GroupChat(room, id, body))
	case who == "romeo" && (to == "" || to == "juliet"):
		d.stanza(lab.Chat(juliet, id, body))
	case to == "romeo":
		d.must(d.device(who).Send(d.ctx, lab.Chat("romeo@"+d.prosody.Host(), id, body)))
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
		d.stanza(lab.Subject(room, id, "On balconies"))
	case to != "":
		return fmt.Errorf("only a subject goes to the room")
	case kind == "composing":
		d.stanza(lab.Composing(juliet, id))
	case kind == "receipt":
		d.stanza(lab.Receipt(juliet, id, "m0"))
	case kind == "displayed":
		d.stanza(lab.Displayed(juliet, id, "m0"))
	case kind == "encrypted":
		d.stanza(lab.Encrypted(juliet, id))
	case kind == "call":
		d.stanza(lab.Propose(juliet, id))
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
		if took := w.At.Sub(d.spoke); err == nil && took > most {
			d.t.Errorf("the wake came %v after romeo's stanza, want within %v", took, most)
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
	if w := p.last(); w.Account != p2.Device(juliet, "phone") {
		t.Errorf("woken as %+v", w)
	}
	p.noSecrets("body of m1", pushtest.FCMToken("phone"), p.nodes["phone"].Secret, p.nodes["phone"].Node)
}
