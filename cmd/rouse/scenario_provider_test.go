package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/servers/lab"
	"rouse/store/sqlite"
)

// standIn is what each stand-in can be told.
type standIn interface {
	Queue(...pushtest.Reply)
	Answer(func(pushtest.Received) *pushtest.Reply)
	Received() []pushtest.Received
}

func (p *play) standIn(provider string) standIn {
	switch provider {
	case "apns":
		return p.apns
	case "webpush":
		return p.webpush
	}
	return p.fcm
}

var providerNames = []string{"fcm", "apns", "webpush"}

func TestTheProviderIsDownForAMoment(t *testing.T) {
	t.Parallel()
	for _, provider := range providerNames {
		t.Run(provider, func(t *testing.T) {
			both(t, wish{}, func(t *testing.T, p *play) {
				p.sleeps(p.deviceOf(provider, "phone"))
				p.standIn(provider).Queue(pushtest.Reply{Status: http.StatusServiceUnavailable})
				p.chat("m1")
				p.wants("phone")
				tries := p.standIn(provider).Received()
				if len(tries) != 2 || tries[0].Status != http.StatusServiceUnavailable || tries[0].ID != tries[1].ID || tries[0].Collapse != tries[1].Collapse {
					t.Errorf("tries: %+v", tries)
				}
			})
		})
	}
}

// TestTheProviderAsksForPatience: 429 with Retry-After is kept to.
func TestTheProviderAsksForPatience(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"apns", "webpush"} {
		t.Run(provider, func(t *testing.T) {
			both(t, wish{}, func(t *testing.T, p *play) {
				p.sleeps(p.deviceOf(provider, "phone"))
				p.standIn(provider).Queue(pushtest.Reply{Status: http.StatusTooManyRequests, Reason: "TooManyRequests", RetryAfter: "3"})
				p.chat("m1")
				p.wants("phone")
				tries := p.standIn(provider).Received()
				if len(tries) != 2 || tries[0].Status != http.StatusTooManyRequests {
					t.Fatalf("tries: %+v", tries)
				}
				if took := tries[1].At.Sub(tries[0].At); took < 3*time.Second {
					t.Errorf("tried again after %v, though the provider asked for 3 s", took)
				}
			})
		})
	}
}

// TestTheDeviceIsGone: what the provider says of a token goes for the node, until
// the device registers again.
func TestTheDeviceIsGone(t *testing.T) {
	for provider, gone := range map[string]func() pushtest.Reply{
		"apns": func() pushtest.Reply {
			return pushtest.Reply{Status: http.StatusGone, Reason: "Unregistered", Timestamp: time.Now()}
		},
		"fcm":     func() pushtest.Reply { return pushtest.Reply{Status: http.StatusNotFound, Reason: "UNREGISTERED"} },
		"webpush": func() pushtest.Reply { return pushtest.Reply{Status: http.StatusGone} },
	} {
		t.Run(provider, func(t *testing.T) {
			both(t, wish{}, func(t *testing.T, p *play) {
				phone := p.deviceOf(provider, "phone")
				node := p.nodes["phone"].Node
				p.sleeps(phone)
				p.standIn(provider).Queue(gone())
				p.chat("m1")
				p.must(p.await(p.ctx, "the end of the endpoint", func() bool { return p.decisions()["none dead"] == 1 }))
				p.chat("m2")
				if d := p.decisions(); d["a3 wake"] != 1 || d["a3 dead"] != 1 || len(p.standIn(provider).Received()) != 1 {
					t.Fatalf("m2 was decided as %v, and the provider asked %d times", p.told(), len(p.standIn(provider).Received()))
				}

				// A server that publishes to the node learns that it is dead.
				pictures := p.logged("the picture is complete")
				p.must(p.server.UnloadModule(p.ctx))
				p.sends(lab.Chat(p.juliet(), "m3", "body of m3"))
				p.refused("cancel")
				p.must(p.server.LoadModule(p.ctx))
				p.pictured(pictures + 1)

				// The app was installed again, and has another token.
				resumed, err := phone.Login(p.ctx)
				p.must(err)
				if !resumed {
					t.Fatal("the session was not resumed")
				}
				r := p.register(provider, phone, "newer", "phone")
				if r.Node != node {
					t.Errorf("the same device got another node")
				}
				n := p.events("enable")
				p.must(phone.EnablePush(p.ctx, r))
				p.saw("enable", n+1)
				p.sleeps(phone)
				p.chat("m4")
				p.were("newer")
			})
		})
	}
}

// TestNewsFromBeforeTheRegistration: APNs says since when it knows that a token
// is gone. If the device registered after that, it is not gone.
func TestNewsFromBeforeTheRegistration(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		p.sleeps(p.deviceOf("apns", "phone"))
		p.apns.Queue(pushtest.Reply{Status: http.StatusGone, Reason: "Unregistered", Timestamp: time.Now().Add(-time.Hour)})
		p.chat("m1")
		p.wants("phone")
	})
}

// TestTheProviderRefusesTheApp: it is stopped, after one refusal for each wake
// that was under way. That costs nobody the registration, and no wake is lost.
func TestTheProviderRefusesTheApp(t *testing.T) {
	for provider, refusal := range map[string]pushtest.Reply{
		"apns":    {Status: http.StatusForbidden, Reason: "InvalidProviderToken"},
		"fcm":     {Status: http.StatusForbidden},
		"webpush": {Status: http.StatusForbidden, Reason: "BadJwtToken"},
	} {
		t.Run(provider, func(t *testing.T) {
			both(t, wish{}, func(t *testing.T, p *play) {
				phone, tablet := p.deviceOf(provider, "phone"), p.deviceOf(provider, "tablet")
				p.sleeps(phone)
				p.sleeps(tablet)
				p.standIn(provider).Answer(func(pushtest.Received) *pushtest.Reply { return &refusal })
				p.chat("m1")
				p.must(p.await(p.ctx, "both wakes put off", func() bool { return p.decisions()["a3 again"] == 2 }))
				refused := time.Now()
				if n := p.logged("the app is stopped: the provider refuses it"); n != 1 {
					t.Errorf("rouse said %d times that the app is stopped", n)
				}
				asked := len(p.standIn(provider).Received())
				p.chat("m2")
				if d := p.decisions(); d["a3 wake"] != 2 || d["a3 merged"] != 2 || len(p.standIn(provider).Received()) != asked {
					t.Fatalf("after the stop: %v, and the provider was asked %d times more", p.told(), len(p.standIn(provider).Received())-asked)
				}

				// The operator puts it right, and starts rouse again.
				p.must(p.stop())
				p.standIn(provider).Answer(nil)
				p.starts()
				p.wakesUp(phone) // for it, m1 and m2 are no news any more
				p.sleeps(phone)
				p.chat("m3")
				p.were("phone")

				// The tablet is still owed its wake, at the time of the probe.
				p.must(p.stop())
				db, err := sqlite.Open(p.ctx, filepath.Join(p.dir, "rouse.db"), sqlite.Options{})
				p.must(err)
				defer db.Close()
				due, owed, err := db.NextDue(p.ctx)
				p.must(err)
				if late := due.Sub(refused); !owed || late > push.ProbeEvery*5/4 {
					t.Errorf("a wake is owed: %t, %v after the refusal", owed, late)
				}
			})
		})
	}
}
