package main

import (
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
)

const juliet = "juliet@example.test"

func TestEnabledAgainWithANewToken(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone := p.device("phone")
		old := p.nodes["phone"]
		r := p.register("fcm", phone, "newer", "phone")
		if r != old {
			t.Errorf("the same device got %+v, and before %+v", r, old)
		}
		p.must(phone.EnablePush(p.ctx, r))
		p.saw("enable", 2)
		p.sleeps(phone)
		p.chat("m1")
		p.wants("newer")
	})
}

// TestLongNamesStallNothing: ids and nodes are the clients' choice, and many long
// ones must not make a batch that cannot be taken.
func TestLongNamesStallNothing(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone := p.device("phone")
		desk := p.client("juliet", "desk", lab.ClientOptions{})
		p.must(desk.EnablePush(p.ctx, lab.Registration{Service: "push.elsewhere.test", Node: strings.Repeat("n", 100_000)}))
		p.leaves(desk)
		p.sleeps(phone)
		for i := range 150 {
			p.must(p.romeo.Send(p.ctx, lab.Chat(p.juliet(), fmt.Sprintf("%d%s", i, strings.Repeat("x", 9000)), "long")))
		}
		p.settle()
		p.saw("queued", 150)
		if up := p.gauge("rouse_component_connected"); up != "1" {
			t.Errorf("the link: %s", up)
		}
		if _, err := p.fcm.WaitDelivered(p.ctx, 1); err != nil {
			t.Fatalf("nobody was woken: %v", p.told())
		}
	})
}
