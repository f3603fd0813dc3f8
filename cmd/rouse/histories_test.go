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
	historiesBeats = flag.Int("histories.beats", 24, "how long each is")
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
			var mu sync.Mutex
			woken := map[string][][]string{} // by server: who was woken after each beat, since the beginning
			t.Run("on", func(t *testing.T) {
				both(t, w, func(t *testing.T, p *play) {
					d := newDrama(p)
					for _, beat := range h.beats {
						for _, line := range beat {
							d.line(t, fmt.Sprint("history ", seed), line)
						}
						now := d.quiet()
						mu.Lock()
						woken[p.server.Name()] = append(woken[p.server.Name()], now)
						mu.Unlock()
					}
				})
			})
			compare(t, h, seed, woken["Prosody"], woken["ejabberd"])
		})
	}
}

func compare(t *testing.T, h *history, seed uint64, prosody, ejabberd [][]string) {
	t.Helper()
	total := 0
	for i := range min(len(prosody), len(ejabberd)) {
		if total = len(prosody[i]); slices.Equal(prosody[i], ejabberd[i]) {
			continue
		}
		comment := fmt.Sprintf("History %d. In the end ejabberd has woken\n%s", seed, strings.Join(ejabberd[i], " "))
		scene := h.scene(comment, prosody[:i+1])
		file := filepath.Join(os.TempDir(), fmt.Sprintf("rouse-history-%d.txt", seed))
		if err := os.WriteFile(file, []byte(scene), 0o600); err != nil {
			t.Error(err)
		}
		t.Fatalf("the servers differ; put %s into testdata/scenes to play it again:\n%s", file, scene)
	}
	t.Logf("%d beats, %d wakes on both", min(len(prosody), len(ejabberd)), total)
}

// quiet waits until all wakes that were decided are delivered, and gives them.
func (p *play) quiet() []string {
	p.t.Helper()
	p.settle()
	p.must(p.await(p.ctx, "the wakes that were decided", func() bool { return len(p.woken()) >= p.owed() }))
	return p.woken()
}
