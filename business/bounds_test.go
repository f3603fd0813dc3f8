package business

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/session"
)

// TestThirdPartiesAreBounded: of an account's endpoints at push services of others
// the five newest count, whoever told of them; its own devices do not.
func TestThirdPartiesAreBounded(t *testing.T) {
	h := newHistory(t)
	h.policy.Service = addr("").Service
	third := func(n int) session.Address {
		return session.Address{Service: "push.other.example", Node: fmt.Sprint(n)}
	}
	enable := func(a session.Address) {
		h.n, h.now = h.n+1, h.now.Add(time.Minute)
		h.a, _ = Decide(h.a, session.Event{Kind: session.Enable, Session: "phone", N: h.n, Address: a, Told: session.Mark{Seq: 1}}, h.policy, h.now)
	}
	for i := range 8 {
		enable(addr(fmt.Sprint("ours", i)))
	}
	for i := range 8 {
		enable(third(i))
	}
	nodes := func() string {
		var list []string
		for a := range h.a.Endpoints {
			if a.Service != h.policy.Service {
				list = append(list, a.Node)
			}
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	if got := nodes(); got != "3 4 5 6 7" || len(h.a.Endpoints) != 8+MaxThirds {
		t.Fatalf("left are %s, and %d in all", got, len(h.a.Endpoints))
	}

	// The server has kept them all, in no order, and 3 is not there any more.
	began := session.Mark{Seq: 2}
	for _, i := range []int{7, 0, 2, 6, 1, 4, 5} {
		h.a, _ = Decide(h.a, session.Event{Kind: session.StoredRow, Address: third(i), Since: h.now.Add(time.Duration(i-8) * time.Minute), Told: began}, h.policy, h.now)
	}
	h.a, _ = Sweep(h.a, began, h.policy, h.now)
	if got := nodes(); got != "2 4 5 6 7" {
		t.Errorf("after the picture %s are left", got)
	}
}

func TestEndpointsAreBounded(t *testing.T) {
	h := newHistory(t)
	h.play("phone bind")
	for i := range 3 * MaxEndpoints {
		h.play(fmt.Sprintf("+1s phone enable node=n%d", i))
	}
	if len(h.a.Endpoints) != MaxEndpoints {
		t.Errorf("%d endpoints, want %d", len(h.a.Endpoints), MaxEndpoints)
	}
	if _, ok := h.a.Endpoints[addr(fmt.Sprintf("n%d", 3*MaxEndpoints-1))]; !ok {
		t.Error("the newest endpoint is gone")
	}
}
