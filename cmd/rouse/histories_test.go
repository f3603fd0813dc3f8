package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	historiesSeed  = flag.Uint64("histories.seed", 1, "of the first history")
	historiesN     = flag.Int("histories.n", 10, "how many are played, each with the next seed")
	historiesBeats = flag.Int("histories.beats", 36, "how long each is")
)

// TestHistories plays random histories on both servers at once: at each beat both
// have to lead to the same wakes. Where they do not, what happened until then is
// written as a scene, which can be put into testdata/scenes.
func TestHistories(t *testing.T) {
	for i := range *historiesN {
		seed := *historiesSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := newHistory(seed, *historiesBeats)
			w := wish{}
			if err := w.option(strings.Fields(historyOptions)); err != nil {
				t.Fatal(err)
			}
			pair := &duet{h: h, seed: seed, woken: map[string][][]string{}, logs: map[string]string{}}
			prepareBoth(t, w, func(t *testing.T, p *play) { pair.play(t, p.begins()) })
		})
	}
}

// duet is a history that both servers play. The one that ends last compares: a
// soak tells of a difference when it is found.
type duet struct {
	h    *history
	seed uint64

	mu    sync.Mutex
	woken map[string][][]string // by server: who was woken after each beat, since the beginning
	logs  map[string]string     // of rouse, where it was played to its end
}

func (d *duet) play(t *testing.T, p *play) {
	drama := newDrama(p)
	var woken [][]string
	for _, beat := range d.h.beats {
		for _, line := range beat {
			drama.line(t, fmt.Sprint("history ", d.seed), line)
		}
		woken = append(woken, drama.quiet())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.woken[p.server.Name()], d.logs[p.server.Name()] = woken, p.logTail(1<<20)
	if len(d.logs) < 2 || compare(t, d.h, d.seed, d.woken["Prosody"], d.woken["ejabberd"]) {
		return
	}
	for name, log := range d.logs {
		if err := os.WriteFile(historyFile(d.seed, "-"+name+".log"), []byte(log), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// historyFile is where something of a history lies that the servers differ in.
func historyFile(seed uint64, ending string) string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("rouse-history-%d%s", seed, ending))
}

// compare tells whether all is equal.
func compare(t *testing.T, h *history, seed uint64, prosody, ejabberd [][]string) bool {
	t.Helper()
	total := 0
	for i := range prosody {
		if total = len(prosody[i]); slices.Equal(prosody[i], ejabberd[i]) {
			continue
		}
		comment := fmt.Sprintf("History %d. In the end ejabberd has woken\n%s", seed, strings.Join(ejabberd[i], " "))
		scene := h.scene(comment, prosody[:i+1])
		file := historyFile(seed, ".txt")
		if err := os.WriteFile(file, []byte(scene), 0o600); err != nil {
			t.Error(err)
		}
		t.Errorf("the servers differ; put %s into testdata/scenes to play it again (what rouse logged is beside it):\n%s", file, scene)
		return false
	}
	t.Logf("history %d: %d beats, %d wakes on both", seed, len(prosody), total)
	return true
}

// quiet waits until all wakes that were decided are delivered, and gives them.
func (p *play) quiet() []string {
	p.t.Helper()
	p.settle()
	p.must(p.await(p.ctx, "the wakes that were decided", func() bool { return len(p.woken()) >= p.owed() }))
	return p.woken()
}
