package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestTheStoreIsGone: the key is kept, the store is not. The server still knows its
// users' devices; the operator is told, and devices are back when they register.
func TestTheStoreIsGone(t *testing.T) {
	both(t, wish{}, func(t *testing.T, p *play) {
		phone := p.device("phone")
		p.must(p.stop())
		files, err := filepath.Glob(filepath.Join(p.dir, "rouse.db*"))
		p.must(err)
		if len(files) == 0 {
			t.Fatal("there is no store to lose")
		}
		for _, f := range files {
			p.must(os.Remove(f))
		}
		p.starts()
		p.pictured(2)
		if got := p.gauge("rouse_unknown_nodes_total"); got != "0" {
			t.Fatalf("before anybody was to be woken %s nodes are unknown", got)
		}
		p.sleeps(phone)
		p.chat("m1")
		p.must(p.await(p.ctx, "the alarm", func() bool { return p.gauge("rouse_unknown_nodes_total") == "1" }))
		if n := p.logged("a node that was issued here is not in the store"); n != 1 {
			t.Errorf("it was logged %d times", n)
		}
		if woken := p.woken(); len(woken) != 0 {
			t.Errorf("woken: %q", woken)
		}
		p.wakesUp(phone)
		p.enable(phone, "phone")
		p.sleeps(phone)
		p.chat("m2")
		p.were("phone")
	})
}
