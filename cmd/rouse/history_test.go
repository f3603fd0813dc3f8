package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A history is what happens to a user's devices, in the language of the scenes,
// made from a seed. It consists of beats: what was decided is compared after each,
// for within one it is a matter of time.
type history struct {
	r       *rand.Rand
	beats   [][]string
	devices []*actor
	words   int // messages so far
}

// actor is a device as the history knows it.
type actor struct {
	name, comes string
	state       string // "", "up", "asleep", "frozen", "gone"
	late        bool   // while frozen: it was found out
	inactive    bool
	enabled     bool
	inRoom      bool
}

// historyOptions are what histories are played with. Each stanza wakes by itself, so
// that it does not matter how fast they are played; a device that does not
// acknowledge is found out before long, and one that is slow is not.
const historyOptions = "ack-delay=5s coalesce=0s"

// newHistory makes a history of so many beats.
func newHistory(seed uint64, beats int) *history {
	h := &history{r: rand.New(rand.NewPCG(seed, 4)), devices: []*actor{
		{name: "phone", comes: "comes"}, {name: "tablet", comes: "comes by apns"}, {name: "desk", comes: "comes"}}}
	h.beat("romeo joins the room")
	for _, d := range h.devices {
		if h.chance(3) {
			d.comes += " by websocket"
		}
		if h.chance(2) {
			d.comes += " with carbons"
		}
	}
	for _, d := range h.devices {
		h.move(d) // they come
	}
	for len(h.beats) < beats {
		if !h.chance(3) {
			h.speech()
		} else {
			h.move(h.devices[h.r.IntN(len(h.devices))])
		}
	}
	return h
}

func (h *history) chance(oneIn int) bool { return h.r.IntN(oneIn) == 0 }

// beat adds lines that belong together. At the end whoever can has acknowledged
// what came of it: else it would wake in the next sleep, or not.
func (h *history) beat(lines ...string) {
	h.beats = append(h.beats, append(lines, "everyone catches up"))
}

// speech lets somebody say something.
func (h *history) speech() {
	h.words++
	kinds := []string{"m", "m", "m", "m", "m", "m", "encrypted", "room", "composing", "receipt", "displayed", "call", "room", "own", "own in the room", "subject"}
	switch kind := kinds[h.r.IntN(len(kinds))]; kind {
	case "m":
		h.said(fmt.Sprintf("romeo writes m%d", h.words), func(*actor) bool { return true })
	case "encrypted":
		h.said("romeo sends encrypted", func(*actor) bool { return true })
	case "room":
		h.said(fmt.Sprintf("romeo writes g%d to the room", h.words), func(d *actor) bool { return d.inRoom })
	case "composing", "receipt", "displayed", "subject":
		// Whether an inactive client that is frozen has to acknowledge what
		// nobody needs to see is the server's business, and wakes nobody.
		line := "romeo sends " + kind
		if kind == "subject" {
			line += " to the room"
		}
		if !h.any(func(d *actor) bool { return d.state == "frozen" && !d.late }) {
			h.beat(line)
		}
	case "call":
		// Who was heard from just now is not called; whether that was just now is
		// a matter of time for whoever is silent.
		if !h.any(func(d *actor) bool { return d.state == "frozen" }) {
			h.beat("everyone catches up", "romeo sends call")
		}
	default:
		up := slices.DeleteFunc(slices.Clone(h.devices), func(d *actor) bool { return d.state != "up" || kind == "own in the room" && !d.inRoom })
		if len(up) == 0 {
			return
		}
		d := up[h.r.IntN(len(up))]
		if kind == "own" {
			h.beat(fmt.Sprintf("%s writes o%d to romeo", d.name, h.words))
		} else if !h.any(func(d *actor) bool { return d.state == "frozen" && !d.late }) {
			h.beat(fmt.Sprintf("%s writes h%d to the room", d.name, h.words))
		}
	}
}

func (h *history) any(is func(*actor) bool) bool { return slices.ContainsFunc(h.devices, is) }

// said adds what makes whoever it is for and does not acknowledge late.
func (h *history) said(line string, reaches func(*actor) bool) {
	lines := []string{line}
	for _, d := range h.devices {
		if d.state == "frozen" && !d.late && reaches(d) {
			d.late = true
			lines = append(lines, d.name+" is late")
		}
	}
	h.beat(lines...)
}

// move lets something happen to a device.
func (h *history) move(d *actor) {
	does := func(what string) string { return d.name + " " + what }
	fresh := func() { d.state, d.late, d.inactive, d.inRoom = "up", false, false, false }
	switch d.state {
	case "":
		fresh()
		d.enabled = true
		h.beat(does(d.comes))
	case "gone":
		fresh()
		h.beat(does("logs in"))
	case "asleep":
		stays := d.inRoom && strings.Contains(d.comes, "by websocket") && differs("rooms of a replaced session")
		switch what := h.r.IntN(4); {
		case what == 0 && !stays:
			fresh()
			h.beat(does("forgets its session"), does("logs in"))
		case what == 1 && !stays:
			fresh()
			h.beat(does("is replaced"))
		default:
			d.state, d.inactive = "up", false
			h.beat(does("wakes up"), does("is active")) // what the state is after a resume differs, and is up to the client
		}
	case "frozen":
		if h.chance(3) {
			d.state = "asleep"
			h.beat(does("sleeps"))
			return
		}
		d.state = "up"
		if d.late {
			d.late = false
			h.beat(does("thaws"), does("is heard"))
			return
		}
		h.beat(does("thaws"))
	case "up":
		switch h.r.IntN(10) {
		case 0, 1, 2, 3:
			d.state = "asleep"
			h.beat(does("sleeps"))
		case 4:
			d.state, d.inRoom = "gone", false
			h.beat(does("leaves"))
		case 5:
			d.state, d.late = "frozen", false
			h.beat(does("freezes"))
		case 6:
			d.inactive = !d.inactive
			h.beat(does(map[bool]string{true: "is inactive", false: "is active"}[d.inactive]))
		case 7:
			if d.enabled = !d.enabled; d.enabled {
				h.beat(does("enables push"))
			} else {
				h.beat(does("disables its push"))
			}
		case 8:
			fresh()
			h.beat(does("is replaced"))
		default:
			if !d.inRoom {
				d.inRoom = true
				h.beat(does("joins the room"))
			}
		}
	}
}

// scene writes the first beats as a scene, with what was woken after each.
func (h *history) scene(comment string, woken [][]string) string {
	var b strings.Builder
	for line := range strings.Lines(comment) {
		fmt.Fprintf(&b, "# %s\n", strings.TrimRight(line, "\n"))
	}
	fmt.Fprintf(&b, "with %s\n", historyOptions)
	for i, names := range woken {
		for _, line := range h.beats[i] {
			fmt.Fprintln(&b, line)
		}
		if len(names) == 0 {
			names = []string{"nobody"}
		}
		fmt.Fprintf(&b, "woken %s\n", strings.Join(names, " "))
	}
	return b.String()
}
