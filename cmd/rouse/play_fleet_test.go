package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rouse/servers/lab"
)

// kicks is what Prosody needs to be told for several processes.
const kicks = `component_conflict_resolve = "kick_old"`

// pairs plays on each server with two rouse processes on one Redis: a, which has
// the link, and b, which is not started yet.
func pairs(t *testing.T, do func(t *testing.T, a, b *play, redis *lab.Redis)) {
	t.Helper()
	prepareBoth(t, wish{several: true}, func(t *testing.T, a *play) {
		b, redis := a.pair()
		do(t, a, b, redis)
	})
}

// pair is pairs on a Prosody that is told more, for what no server has a part in.
func pair(t *testing.T, o lab.Options) (a, b *play) {
	t.Helper()
	a = prepare(t, o)
	b, _ = a.pair()
	return a, b
}

// pair sets two processes into a scene that is prepared.
func (p *play) pair() (b *play, redis *lab.Redis) {
	t, a := p.t, p
	t.Helper()
	// Nothing here is about the disk, and one that others keep busy takes the lease away.
	redis, err := lab.StartRedis(a.ctx, lab.RedisOptions{Dir: filepath.Join(a.dir, "redis")})
	a.must(err)
	t.Cleanup(func() {
		if err := redis.Close(); err != nil {
			t.Error(err)
		}
	})
	a.store = fmt.Sprintf("url = %q\ndurability = \"fast\"\nkey_file = %q", redis.URL(), filepath.Join(a.dir, "rouse.key"))
	a.must(a.configure())
	a.starts()
	a.romeo = a.client("romeo", "desk", lab.ClientOptions{})
	second, err := a.second(filepath.Join(a.dir, "b"))
	a.must(err)
	b = &play{scene: second, t: t, ctx: a.ctx, romeo: a.romeo, nodes: a.nodes, names: a.names}
	t.Cleanup(func() { // before Redis and Prosody go
		for _, p := range []*play{a, b} {
			if p.rouse != nil {
				p.rouse.Process.Signal(syscall.SIGCONT)
			}
			if err := p.stop(); err != nil {
				t.Errorf("a process ended with %v", err)
			}
		}
		if b.log != nil {
			b.log.Close()
		}
		if t.Failed() {
			t.Logf("b:\n%s", b.logTail(80))
		}
	})
	return b, redis
}

// standsBy starts a process beside one that has the link.
func (p *play) standsBy() {
	p.t.Helper()
	p.must(p.launch())
	p.standing()
}

// standing waits until a process stands by: it says so, and has no link.
func (p *play) standing() {
	p.t.Helper()
	p.must(p.await(p.ctx, "a process that stands by", func() bool {
		return strings.Contains(p.get("/readyz"), "ready, link standing by: ") && p.gauge("rouse_component_connected") == "0" && p.gauge("rouse_link_held") == "0"
	}))
}

// losesLink waits until a process has no link, and says how long that took.
func (p *play) losesLink(since moment, most time.Duration) {
	p.t.Helper()
	p.must(p.await(p.ctx, "the link to be let go", func() bool { return p.gauge("rouse_component_connected") == "0" }))
	p.within(since, most, "the link was let go")
}

// takesOver waits until a process has the link, and says how long that took.
func (p *play) takesOver(since moment, most time.Duration) {
	p.t.Helper()
	p.must(p.await(p.ctx, "the other process to take over", p.linked))
	p.within(since, most, "the link was taken over")
}

// within says how long something took, and holds it against a bound. What the
// machine had somebody wait for a processor is not counted: tests run side by side.
func (p *play) within(since moment, most time.Duration, what string) {
	p.t.Helper()
	took, waited := time.Since(since.at), busy()-since.busy
	p.t.Logf("%s after %v; the processors were busy for %v of it", what, took.Round(time.Millisecond), waited.Round(time.Millisecond))
	if took-waited > most {
		p.t.Errorf("%s after %v, and %v without the time that the processors were busy; want %v at most", what, took, took-waited, most)
	}
}

// moment is when something began.
type moment struct {
	at   time.Time
	busy time.Duration
}

func mark() moment { return moment{time.Now(), busy()} }

// busy is for how long somebody has waited for a processor since the machine was
// started (Documentation/accounting/psi.rst); 0 where Linux does not count it.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	var micros int64
	some, _, _ := strings.Cut(string(text), "\n")
	if _, total, ok := strings.Cut(some, " total="); ok {
		fmt.Sscan(total, &micros)
	}
	return time.Duration(micros) * time.Microsecond
}

// follows has a process count from where another one stopped.
func (p *play) follows(before *play) {
	p.past = before.past
}

// get asks rouse's listener; "" while it does not answer.
func (p *play) get(path string) string {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + p.web + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

func (p *play) signals(sig syscall.Signal) {
	p.t.Helper()
	p.must(p.rouse.Process.Signal(sig))
}

// delivered says how many wakes this process has delivered.
func (p *play) delivered() int {
	var n float64
	fmt.Sscan(p.gauge(fmt.Sprintf(`rouse_wakes_total{app=%q,outcome="delivered",provider="fcm"}`, sceneAndroid)), &n)
	return int(n)
}

// logins counts the connections of rouse that the server has let in.
func (p *play) logins() int {
	log, err := os.ReadFile(p.server.LogFile())
	p.must(err)
	return strings.Count(string(log), p.server.LetIn())
}

// runs runs a command of rouse beside the ones that serve, and gives what it
// says; code -1: however it ends.
func (p *play) runs(code int, command ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.ctx, p.program[0], slices.Concat(p.program[1:], command, []string{"-c", p.config()})...)
	cmd.Env = append(os.Environ(), p.env...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); code >= 0 && got != code {
		p.t.Fatalf("rouse %q ended with %d:\n%s", command, got, out)
	}
	return string(out)
}
