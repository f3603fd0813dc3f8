package main

import (
	"slices"
	"testing"
	"time"

	"rouse/component/p2"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// TestKilledBeforeTheSend: the wake is decided and durable, and the provider was
// not asked yet. It goes out after the restart, once.
func TestKilledBeforeTheSend(t *testing.T) {
	t.Parallel()
	t.Run("a wake that is being sent", func(t *testing.T) {
		both(t, wish{}, func(t *testing.T, p *play) {
			p.fcm.QueueOAuth(pushtest.Reply{Hang: true}) // rouse gets no access token, and cannot ask
			p.sleeps(p.device("phone"))
			p.chat("m1")
			if n := len(p.fcm.Received()); n != 0 {
				t.Fatalf("FCM was asked %d times, without an access token", n)
			}
			p.kills()
			p.starts()
			p.wants("phone")
			if n := len(p.fcm.Received()); n != 1 {
				t.Errorf("FCM was asked %d times, want once", n)
			}
		})
	})
	t.Run("a wake that waits for its window", func(t *testing.T) {
		both(t, wish{}, func(t *testing.T, p *play) {
			p.sleeps(p.device("phone"))
			p.chat("m1")
			p.were("phone")
			p.chat("m2")
			p.kills()
			p.starts()
			p.wants("phone", "phone")
		})
	})
}

// TestKilledDuringTheSend: nobody knows whether the provider took the wake. It
// is sent again, in such a way that the phone can tell that it is the same one.
func TestKilledDuringTheSend(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone, tablet := p.device("phone"), p.deviceOf("apns", "tablet")
		p.sleeps(phone)
		p.sleeps(tablet)
		p.fcm.Queue(pushtest.Reply{Hang: true})
		p.apns.Queue(pushtest.Reply{Hang: true})
		p.chat("m1")
		_, err := p.fcm.Wait(p.ctx, 1)
		p.must(err)
		_, err = p.apns.Wait(p.ctx, 1)
		p.must(err)
		p.kills()
		p.starts()
		p.wants("phone", "tablet")
		for name, tries := range map[string][]pushtest.Received{"phone": p.fcm.Received(), "tablet": p.apns.Received()} {
			if len(tries) != 2 {
				t.Fatalf("%s: %d tries, want one before the crash and one after it", name, len(tries))
			}
			first, again := tries[0], tries[1]
			if first.ID != again.ID || first.Collapse != again.Collapse || again.Collapse == "" {
				t.Errorf("%s: the first try has apns-id %q, collapse id %q; the second %q, %q", name, first.ID, first.Collapse, again.ID, again.Collapse)
			}
			if again.Account != p2.Device(p.juliet(), name) {
				t.Errorf("%s: the wake is for %q", name, again.Account)
			}
		}
	})
}

// TestRouseIsDownWhileAMessageComes: what the server queued meanwhile is decided
// afterwards.
func TestRouseIsDownWhileAMessageComes(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone, tablet := p.device("phone"), p.deviceOf("apns", "tablet")
		p.sleeps(phone)
		p.leaves(tablet)
		p.kills()
		p.sends(lab.Chat(p.juliet(), "m1", "body of m1"))
		p.starts()
		p.wants("phone", "tablet")
	})
}

// TestServerRestarted: whatever happens to the server, and whether rouse is there
// or not: no wake is lost and none comes twice.
func TestServerRestarted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		kill      bool // a power cut, not SIGTERM
		down      bool // rouse is away all the while
		noArchive bool
	}{
		{name: "stopped, rouse up"},
		{name: "stopped, rouse down", down: true},
		{name: "killed, rouse up", kill: true},
		{name: "killed, rouse down", kill: true, down: true},
		{name: "without an archive, stopped, rouse up", noArchive: true},
		{name: "without an archive, stopped, rouse down", noArchive: true, down: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, wish{noArchive: c.noArchive, alone: true}, func(t *testing.T, p *play) {
				phone, tablet := p.device("phone"), p.deviceOf("apns", "tablet")
				p.sleeps(phone)
				p.leaves(tablet)
				p.chat("m1")
				want := []string{"phone"}
				if !c.noArchive { // without one, nobody else has a message that is queued for the phone
					want = append(want, "tablet")
				}
				p.wants(want...)
				pictures := p.logged("the picture is complete")
				lost := c.noArchive && !c.kill && p.server.Name() == "ejabberd" && differs("queues at the stop")

				var sent time.Time
				if c.down {
					p.kills()
					p.sends(lab.Chat(p.juliet(), "m2", "body of m2"))
					sent = time.Now()
					want = append(want, "phone")
					if !c.noArchive {
						want = append(want, "tablet")
					}
				}
				if c.kill {
					if c.down { // a power cut may cost what is younger than a second
						p.must(p.romeo.Inactive(p.ctx)) // so that there is something to be written after m2
						p.must(p.await(p.ctx, "the module's queue on disk", func() bool { return p.server.Saved(sent) }))
					}
					p.must(p.server.Kill())
				} else {
					p.must(p.server.Stop(p.ctx))
				}
				p.must(p.server.Start(p.ctx))
				if c.down {
					p.starts()
				}
				p.pictured(pictures + 1)
				if c.noArchive && !lost { // the server gave back the phone's queue, and stored it offline
					want = append(want, "tablet")
				}
				p.romeo = p.client("romeo", "new desk", lab.ClientOptions{})
				p.wants(want...)
				p.must(p.await(p.ctx, "the end of the sessions of before", func() bool { return p.gauge(`rouse_sessions{state="hibernated"}`) == "0" }))

				// Nobody has a session now: the archive or offline storage wakes both.
				p.chat("m3")
				p.wants(append(want, "phone", "tablet")...)

				// What was in the phone's queue is there for whoever logs in, or for nobody.
				if c.noArchive {
					_, err := tablet.Login(p.ctx)
					p.must(err)
					_, err = tablet.AwaitBody(p.ctx, "body of m3")
					p.must(err)
					found := slices.ContainsFunc(tablet.Received(), func(s lab.Stanza) bool { return s.Body == "body of m1" })
					if found == lost {
						t.Errorf("juliet has m1: %t", found)
					}
				}
			})
		})
	}
}

// TestAMessageBeforeThePicture: the server was cut off and is back, and a message
// comes before rouse can know that the session it believes in is gone.
func TestAMessageBeforeThePicture(t *testing.T) {
	t.Parallel()
	for name, falls := range map[string]func(*play, *lab.Client){
		"asleep": (*play).sleeps,
		"awake":  func(*play, *lab.Client) {},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, wish{alone: true}, func(t *testing.T, p *play) {
				falls(p, p.device("phone"))
				p.settle()
				p.kills()
				p.must(p.server.Kill())
				p.must(p.server.Start(p.ctx))
				p.romeo = p.client("romeo", "new desk", lab.ClientOptions{})
				p.client("juliet", "desk", lab.ClientOptions{}) // she is online, so that nothing is stored offline
				p.sends(lab.Chat(p.juliet(), "m1", "body of m1"))
				p.starts()
				p.wants("phone")
			})
		})
	}
}
