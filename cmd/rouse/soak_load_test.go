package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"rouse/component/stanza"
	"rouse/servers/lab"
)

// soakAccount is a user with one or two devices. Its story is told by one
// goroutine: mostly it sends a stanza and waits until every device that sleeps
// was woken for it, so that each wake can only be about that stanza.
type soakAccount struct {
	stage   *soakStage
	user    string
	rng     *rand.Rand
	pause   time.Duration // between two rounds, on average
	devices []*soakDevice
	n       int // stanzas sent
}

// soakDevice is a client that sleeps in one way or another. Its state is written
// by the account's story, or by whoever holds stage.up.
type soakDevice struct {
	page   *page
	opt    lab.ClientOptions
	client *lab.Client
	reg    lab.Registration
	state  soakState
}

type soakState int

const (
	awake      soakState = iota
	frozen               // connected, and silent: acknowledgements are late (rule a1)
	hibernated           // the connection is gone, the session waits (a2, a3)
	offline              // no session (b, c)
	unknown              // something went wrong on the way: wakes may come or not
)

func (s soakState) asleep() bool { return s == frozen || s == hibernated || s == offline }

// enrol logs the devices in for the first time, and registers them.
func (a *soakAccount) enrol(ctx context.Context, devices int) error {
	for i := range devices {
		name := fmt.Sprintf("%s-%d", a.user, i)
		provider := []string{"fcm", "apns"}[a.rng.IntN(2)]
		d := &soakDevice{
			page: a.stage.books.open(tokenOf(provider, name), name),
			opt:  lab.ClientOptions{JID: a.user + "@" + soakHost + "/" + name, Password: "pw", Addr: a.stage.prosody.ClientAddr()},
		}
		var err error
		if d.client, err = a.stage.clients.Login(ctx, d.opt); err != nil {
			return err
		}
		// On a machine that is busy the link may go down meanwhile, and the question with it.
		if err := started(ctx, func(ctx context.Context) error {
			if d.reg, err = d.client.Register(ctx, a.stage.prosody.Rouse().JID, provider, tokenOf(provider, name), name); err != nil {
				return err
			}
			return d.client.EnablePush(ctx, d.reg)
		}); err != nil {
			return err
		}
		a.devices = append(a.devices, d)
	}
	return nil
}

// live tells the story until playing ends; then what is owed is waited for until ctx ends.
func (a *soakAccount) live(ctx, playing context.Context) error {
	for playing.Err() == nil {
		var err error
		d := a.devices[a.rng.IntN(len(a.devices))]
		state := a.stateOf(d)
		if p := a.rng.Float64(); p < 0.08 || state == awake && p < 0.5 || state == unknown {
			err = a.move(ctx, d)
		} else {
			err = a.round(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.user, err)
		}
		sleep(playing, time.Duration(a.rng.ExpFloat64()*float64(a.pause)))
	}
	return nil
}

// stateOf is for those who do not hold stage.up.
func (a *soakAccount) stateOf(d *soakDevice) soakState {
	a.stage.up.RLock()
	defer a.stage.up.RUnlock()
	return d.state
}

// move has a device fall asleep or come back.
func (a *soakAccount) move(ctx context.Context, d *soakDevice) error {
	a.stage.up.RLock()
	defer a.stage.up.RUnlock()
	ctx, cancel := context.WithTimeout(ctx, soakPatience)
	defer cancel()
	books := a.stage.books
	if d.state != awake {
		books.note(d.page, entry{at: time.Now(), what: cameBack})
		was := d.state
		d.state = unknown
		if err := a.wake(ctx, d, was); err != nil {
			return err
		}
		d.state = awake
		return nil
	}
	if a.rng.IntN(8) == 0 {
		if a.rng.IntN(2) == 0 {
			return d.client.Inactive(ctx)
		}
		return d.client.Active(ctx)
	}
	books.note(d.page, entry{at: time.Now(), what: fellAsleep})
	switch p := a.rng.Float64(); {
	case p < 0.55:
		d.state = hibernated
		return d.client.Drop(ctx)
	case p < 0.9:
		d.state = offline
		return d.client.Bye(ctx)
	default:
		d.state = frozen
		return d.client.Freeze(ctx)
	}
}

// wake brings a device back, as its app would do it: a session that is not there
// any more is begun anew, with push enabled in it.
func (a *soakAccount) wake(ctx context.Context, d *soakDevice, was soakState) error {
	if was == frozen {
		return d.client.Thaw(ctx)
	}
	resumed, err := d.client.Login(ctx)
	if err != nil {
		return err
	}
	if resumed {
		return nil
	}
	return d.client.EnablePush(ctx, d.reg)
}

// round sends something, and waits for what has to come of it.
func (a *soakAccount) round(ctx context.Context) error {
	kind, count := "message", 1
	switch p := a.rng.Float64(); {
	case p < 0.08:
		count = 2 + a.rng.IntN(4)
	case p < 0.16:
		kind = "call"
	case p < 0.22:
		kind = "receipt"
	}
	since, err := a.say(ctx, kind, count)
	if errors.Is(err, errNotSent) {
		return nil // Prosody was restarted a moment ago: another time
	}
	if err != nil {
		return err
	}
	if a.rng.IntN(12) == 0 { // somebody picks up a device before it is woken, or as it is
		if !sleep(ctx, time.Duration(a.rng.IntN(40))*time.Millisecond) {
			return nil
		}
		if d := a.devices[a.rng.IntN(len(a.devices))]; a.stateOf(d).asleep() {
			if err := a.move(ctx, d); err != nil {
				return err
			}
		}
	}
	a.wait(ctx, since)
	return nil
}

// say sends stanzas to the account, and notes for each device whether they must wake it.
func (a *soakAccount) say(ctx context.Context, kind string, count int) (since time.Time, err error) {
	a.stage.up.RLock()
	defer a.stage.up.RUnlock()
	var stanzas []stanza.Element
	var lines []entry
	since = time.Now()
	for range count {
		a.n++
		id := fmt.Sprintf("%s-%s-%d", a.user, kind, a.n)
		stanzas = append(stanzas, soakStanza(a.user, kind, id))
		lines = append(lines, entry{at: time.Now(), what: wasSent, call: kind == "call", id: id})
	}
	if err := a.stage.send(ctx, stanzas...); err != nil {
		return since, err
	}
	if kind == "receipt" {
		return since, nil
	}
	for _, d := range a.devices {
		for _, e := range lines {
			e.owed, e.late = d.state.asleep(), d.state == frozen
			if e.call && d.state == frozen {
				// It is as good as connected while it was heard from lately; the call rings later, or is told as missed.
				e.owed = false
				a.stage.books.note(d.page, e)
				e.call = false
			}
			a.stage.books.note(d.page, e)
		}
	}
	return since, nil
}

// wait returns when everything sent since was covered, or excused, or ctx ends.
func (a *soakAccount) wait(ctx context.Context, since time.Time) {
	for {
		left, changed := a.stage.books.owedTo(a.devices, since)
		if !left {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// owedTo reports whether devices still wait for a wake, and gives what is closed
// when the answer may be another one.
func (b *books) owedTo(devices []*soakDevice, since time.Time) (left bool, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range devices {
		for i := len(d.page.entries) - 1; i >= 0 && !d.page.entries[i].at.Before(since); i-- {
			if d.page.waiting(d.page.entries[i]) {
				return true, b.changed
			}
		}
	}
	return false, b.changed
}

// soakStanza is a stanza from somebody elsewhere.
func soakStanza(user, kind, id string) stanza.Element {
	e := stanza.Element{Name: "message", Attr: []stanza.Attr{
		{Name: "from", Value: "romeo@" + soakSender + "/desk"}, {Name: "to", Value: user + "@" + soakHost},
		{Name: "type", Value: "chat"}, {Name: "id", Value: id}}}
	switch kind {
	case "call":
		e.Children = []stanza.Element{
			{Space: "urn:xmpp:jingle-message:0", Name: "propose", Attr: []stanza.Attr{{Name: "id", Value: id}},
				Children: []stanza.Element{{Space: "urn:xmpp:jingle:apps:rtp:1", Name: "description", Attr: []stanza.Attr{{Name: "media", Value: "audio"}}}}},
			{Space: "urn:xmpp:hints", Name: "store"}}
	case "receipt":
		e.Children = []stanza.Element{{Space: "urn:xmpp:receipts", Name: "received", Attr: []stanza.Attr{{Name: "id", Value: "earlier"}}}}
	default:
		e.Children = []stanza.Element{{Name: "body", Text: "body of " + id}}
	}
	return e
}
