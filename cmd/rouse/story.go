package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"rouse/component/p2"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// step is one scene of the demo: what happens, why, and the proof that it did.
type step struct {
	title string
	play  func(ctx context.Context, t *teller) error
}

// story is the demo. Every step proves what it claims, or the demo fails.
var story = []step{
	{"Juliet logs in, with a phone (push by FCM) and a tablet (push by APNs)", loggedIn},
	{"Both fall asleep", asleep},
	{"Romeo writes", written},
	{"The phone and the tablet are woken", woken},
	{"The phone comes back", resumed},
	{"Juliet logs out, and Romeo writes again", loggedOut},
	{"Romeo calls, and the phone only looks connected", called},
	{"rouse is killed, and comes back", killed},
}

// teller plays the story and tells it.
type teller struct {
	out   io.Writer
	scene *scene
	steps []step
	begun time.Time

	phone, tablet, romeo *lab.Client
	phoneNode            lab.Registration
	sentAt               time.Time
}

const stepTime = 40 * time.Second

func (t *teller) tell(ctx context.Context) error {
	t.begun = time.Now()
	for i, s := range t.steps {
		fmt.Fprintf(t.out, "\n%d. %s\n", i+1, s.title)
		ctx, cancel := context.WithTimeout(ctx, stepTime)
		err := s.play(ctx, t)
		cancel()
		if err != nil {
			return fmt.Errorf("step %d was not seen to happen: %w", i+1, err)
		}
	}
	return nil
}

// say tells one line, with the time since the story began.
func (t *teller) say(format string, args ...any) {
	fmt.Fprintf(t.out, "   %6.2f s  %s\n", time.Since(t.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (t *teller) because(format string, args ...any) {
	fmt.Fprintf(t.out, "             because: %s\n", fmt.Sprintf(format, args...))
}

// server is what the server calls itself.
func (t *teller) server() string { return t.scene.server.Name() }

func (t *teller) options(resource string) lab.ClientOptions {
	return lab.ClientOptions{JID: "juliet@" + demoHost + "/" + resource, Password: demoPassword, Addr: t.scene.server.ClientAddr()}
}

func (t *teller) write(ctx context.Context, id, body string) error {
	t.sentAt = time.Now()
	if err := t.romeo.Send(ctx, lab.Chat(t.phone.Bare(), id, body)); err != nil {
		return err
	}
	t.say("Romeo: %q", body)
	return nil
}

// event waits until rouse has taken so many events of a kind.
func (t *teller) event(ctx context.Context, kind string, n int) error {
	return t.scene.await(ctx, fmt.Sprintf("%d events %q", n, kind), func() bool { return t.scene.events(kind) >= n })
}

// wakes waits for the n-th wake of the phone and checks that it is meant for it.
func (t *teller) wakes(ctx context.Context, n int) (pushtest.Received, error) {
	all, err := t.scene.fcm.WaitDelivered(ctx, n)
	if err != nil {
		return pushtest.Received{}, err
	}
	if len(all) != n {
		return pushtest.Received{}, fmt.Errorf("%d wakes reached the phone, not %d", len(all), n)
	}
	w := all[n-1]
	if want := p2.Device(t.phone.Bare(), "phone-1"); w.Account != want {
		return w, errors.New("the wake was meant for another device")
	}
	return w, nil
}

func (t *teller) took(w pushtest.Received) string {
	return fmt.Sprintf("%d ms after Romeo pressed send", w.At.Sub(t.sentAt).Milliseconds())
}

func loggedIn(ctx context.Context, t *teller) (err error) {
	c := t.scene.clients
	if t.phone, err = c.Login(ctx, t.options("phone")); err != nil {
		return err
	}
	if t.tablet, err = c.Login(ctx, t.options("tablet")); err != nil {
		return err
	}
	romeo := t.options("desk")
	romeo.JID = "romeo@" + demoHost + "/desk"
	if t.romeo, err = c.Login(ctx, romeo); err != nil {
		return err
	}
	service := t.scene.server.Rouse().JID
	if t.phoneNode, err = t.phone.Register(ctx, service, "fcm", pushtest.FCMToken("phone"), "phone-1"); err != nil {
		return err
	}
	tablet, err := t.tablet.Register(ctx, service, "apns", pushtest.APNsToken("tablet"), "tablet-1")
	if err != nil {
		return err
	}
	t.say("each gave rouse its push token, and got an address for its server in exchange")
	if err := errors.Join(t.phone.EnablePush(ctx, t.phoneNode), t.tablet.EnablePush(ctx, tablet)); err != nil {
		return err
	}
	if err := t.event(ctx, "enable", 2); err != nil {
		return err
	}
	t.say("each told %s that address; mod_rouse told rouse", t.server())
	if err := t.write(ctx, "m1", "Good evening!"); err != nil {
		return err
	}
	if _, err := t.phone.AwaitBody(ctx, "Good evening!"); err != nil {
		return err
	}
	if err := t.event(ctx, "archived", 1); err != nil {
		return err
	}
	if n := len(t.scene.fcm.Delivered()) + len(t.scene.apns.Delivered()); n != 0 {
		return fmt.Errorf("%d devices were woken that were awake", n)
	}
	t.say("the message arrives over the open connection; nobody is woken")
	t.because("rouse knows both as active")
	return nil
}

func asleep(ctx context.Context, t *teller) error {
	if err := t.phone.Drop(ctx); err != nil {
		return err
	}
	if err := t.event(ctx, "hibernated", 1); err != nil {
		return err
	}
	t.say("the phone's connection breaks without a word; %s keeps its session and queues for it", t.server())
	if err := t.tablet.Bye(ctx); err != nil {
		return err
	}
	if err := t.event(ctx, "ended", 1); err != nil {
		return err
	}
	t.say("the tablet logs out")
	return nil
}

func written(ctx context.Context, t *teller) error {
	return t.write(ctx, "m2", "Are you asleep?")
}

func woken(ctx context.Context, t *teller) error {
	w, err := t.wakes(ctx, 1)
	if err != nil {
		return err
	}
	t.say("FCM takes a wake for the phone, priority %s, %s", w.Priority, t.took(w))
	t.because("a message with a body was queued for a session that sleeps (rule a3)")
	all, err := t.scene.apns.WaitDelivered(ctx, 1)
	if err != nil {
		return err
	}
	t.say("APNs takes a wake for the tablet, %s", t.took(all[0]))
	t.because("the message was archived, and no session owns the tablet's endpoint (rule b)")
	return nil
}

func resumed(ctx context.Context, t *teller) error {
	resumed, err := t.phone.Login(ctx)
	if err != nil {
		return err
	}
	if !resumed {
		return errors.New("the phone did not resume its session")
	}
	if _, err := t.phone.AwaitBody(ctx, "Are you asleep?"); err != nil {
		return err
	}
	if err := t.event(ctx, "resumed", 1); err != nil {
		return err
	}
	t.say("it resumes its session and has the message")
	return nil
}

func loggedOut(ctx context.Context, t *teller) error {
	if err := t.phone.Bye(ctx); err != nil {
		return err
	}
	if err := t.event(ctx, "ended", 2); err != nil {
		return err
	}
	archived := t.scene.events("archived")
	if err := t.write(ctx, "m3", "Good night, then."); err != nil {
		return err
	}
	w, err := t.wakes(ctx, 2)
	if err != nil {
		return err
	}
	if err := errors.Join(t.event(ctx, "archived", archived+1), t.event(ctx, "offline", 1)); err != nil {
		return err
	}
	if n := len(t.scene.fcm.Delivered()); n != 2 {
		return fmt.Errorf("the phone was woken %d times, not once", n-1)
	}
	t.say("FCM takes one wake for the phone, %s", t.took(w))
	t.because("%s archives the message (rule b) and stores it offline (rule c): two reports, one stanza, one wake", t.server())
	return nil
}

func called(ctx context.Context, t *teller) error {
	t.phone.Forget(ctx)
	if _, err := t.phone.Login(ctx); err != nil {
		return err
	}
	if err := t.phone.EnablePush(ctx, t.phoneNode); err != nil {
		return err
	}
	if err := t.event(ctx, "enable", 3); err != nil {
		return err
	}
	if err := t.phone.Inactive(ctx); err != nil {
		return err
	}
	if err := t.event(ctx, "csi", 1); err != nil {
		return err
	}
	if err := t.phone.Freeze(ctx); err != nil {
		return err
	}
	t.say("the phone is logged in and in a pocket; then the network swallows everything that is sent to it")
	t.sentAt = time.Now()
	if err := t.romeo.Send(ctx, lab.Propose(t.phone.Bare(), "call-1")); err != nil {
		return err
	}
	t.say("Romeo calls")
	w, err := t.wakes(ctx, 3)
	if err != nil {
		return err
	}
	if w.Priority != "high" || w.TTL > time.Minute || w.Collapse != "" {
		return fmt.Errorf("the call went out as priority %q, ttl %v, collapse key %q", w.Priority, w.TTL, w.Collapse)
	}
	t.say("FCM takes a wake that is only good for %v, %s", w.TTL, t.took(w))
	t.because("a call cannot wait until %s notices that nobody answers (rule b')", t.server())
	return nil
}

func killed(ctx context.Context, t *teller) error {
	if err := t.phone.Drop(ctx); err != nil {
		return err
	}
	if err := t.event(ctx, "hibernated", 2); err != nil {
		return err
	}
	before := len(t.scene.fcm.Delivered())
	if err := t.scene.kill(); err != nil {
		return err
	}
	t.say("rouse is killed (SIGKILL)")
	if err := t.write(ctx, "m4", "Still there?"); err != nil {
		return err
	}
	if err := t.scene.start(ctx); err != nil {
		return err
	}
	t.say("rouse is started again; mod_rouse kept what happened meanwhile, and repeats it")
	w, err := t.wakes(ctx, before+1)
	if err != nil {
		return err
	}
	t.say("FCM takes one wake for the phone, %s", t.took(w))
	if _, err := t.phone.Login(ctx); err != nil {
		return err
	}
	if _, err := t.phone.AwaitBody(ctx, "Still there?"); err != nil {
		return err
	}
	if n := len(t.scene.fcm.Delivered()); n != before+1 {
		return fmt.Errorf("the phone was woken %d times, not once", n-before)
	}
	t.say("the phone resumes, and has the message: nothing lost, nothing doubled")
	return nil
}
