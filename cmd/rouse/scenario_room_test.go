package main

import (
	"strings"
	"testing"
)

// A session that sleeps is replaced by one with the same resource. It leaves its
// rooms, but for one that came by WebSocket on Prosody (0.12.3 does not destroy
// it): the room goes on to send to that address, so the new session has in its
// queue what was written there, and its device is woken for it.
func TestReplacedInARoom(t *testing.T) {
	for name, way := range map[string]string{"by TCP": "", "by WebSocket": " by websocket"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := wish{}
			if err := w.option(strings.Fields(historyOptions)); err != nil {
				t.Fatal(err)
			}
			prepareBoth(t, w, func(t *testing.T, p *play) {
				woken := "nobody"
				if way != "" && p.server.Name() == "Prosody" && differs("rooms of a replaced session") {
					woken = "desk"
				}
				d := newDrama(p.begins())
				for _, line := range []string{
					"romeo joins the room",
					"desk comes" + way, "desk joins the room", "everyone catches up",
					"desk sleeps", "romeo writes g1 to the room", "woken desk",
					"desk wakes up", "everyone catches up",
					"desk sleeps", "desk is replaced", "everyone catches up",
					"desk sleeps", "romeo writes g2 to the room", "woken desk" + strings.TrimSuffix(" "+woken, " nobody"),
				} {
					d.line(t, name, line)
				}
			})
		})
	}
}
