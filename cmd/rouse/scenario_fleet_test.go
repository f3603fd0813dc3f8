package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// kicks is what Prosody needs to be told for several processes.
const kicks = `component_conflict_resolve = "kick_old"`

// pair sets a scene with two rouse processes on one Redis: a, which has the
// link, and b, which is not started yet.
func pair(t *testing.T, o lab.Options) (a, b *play) {
	t.Helper()
	a = prepare(t, o)
	redis, err := lab.StartRedis(a.ctx, lab.RedisOptions{Dir: filepath.Join(a.dir, "redis"), Persist: "always"})
	a.must(err)
	t.Cleanup(func() {
		if err := redis.Close(); err != nil {
			t.Error(err)
		}
	})
	a.store = fmt.Sprintf("url = %q\nkey_file = %q", redis.URL(), filepath.Join(a.dir, "rouse.key"))
	a.must(a.configure())
	a.starts()
	a.romeo = a.client("romeo", "desk", lab.ClientOptions{})
	second, err := a.second(filepath.Join(a.dir, "b"))
	a.must(err)
	b = &play{scene: second, t: t, ctx: a.ctx, romeo: a.romeo, nodes: a.nodes}
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
	return a, b
}

// standsBy starts a process beside one that has the link.
func (p *play) standsBy() {
	p.t.Helper()
	p.must(p.launch())
	p.standing()
}

// standing waits until a process stands by, and says for whom.
func (p *play) standing() {
	p.t.Helper()
	p.must(p.await(p.ctx, "a process that stands by", func() bool { return strings.Contains(p.get("/readyz"), "ready, link standing by: ") }))
	if p.linked() || p.gauge("rouse_link_held") != "0" {
		p.t.Error("a process that stands by has the link")
	}
}

// takesOver waits until a process has the link, and gives the time that went by.
func (p *play) takesOver(since time.Time, most time.Duration) {
	p.t.Helper()
	p.must(p.await(p.ctx, "the other process to take over", p.linked))
	took := time.Since(since)
	p.t.Logf("taken over after %v", took.Round(time.Millisecond))
	if took > most {
		p.t.Errorf("it was taken over after %v, want %v at most", took, most)
	}
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

// logins counts the component connections that Prosody has let in.
func (p *play) logins() int {
	log, err := os.ReadFile(p.prosody.LogFile())
	p.must(err)
	return strings.Count(string(log), "External component successfully authenticated")
}

// TestHolderIsKilled: another process has the link within 5 s, and what came
// meanwhile wakes once.
func TestHolderIsKilled(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	b.standsBy()
	a.sleeps(a.device("phone"))
	a.chat("m1")
	a.wants("phone")
	a.kills()
	b.follows(a)
	died := time.Now()
	a.sends(lab.Chat(juliet, "m2", "body of m2"))
	b.takesOver(died, 5*time.Second)
	b.wants("phone", "phone")
	b.must(b.await(b.ctx, "the killed one to be off the list", func() bool { return b.gauge("rouse_processes") == "1" }))
	if n := b.logged(`msg="a process is gone`); n != 1 {
		t.Errorf("it is said %d times that a process is gone", n)
	}
}

// TestHolderIsPaused: Prosody still has its connection when another process
// comes. When it wakes it does not touch the link, nor decide anything.
func TestHolderIsPaused(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	b.standsBy()
	a.sleeps(a.device("phone"))
	a.chat("m1")
	a.wants("phone")
	a.past = a.owed()
	b.follows(a)
	a.signals(syscall.SIGSTOP)
	paused := time.Now()
	a.sends(lab.Chat(juliet, "m2", "body of m2")) // reported to the one that does not move
	b.takesOver(paused, 5*time.Second)
	b.wants("phone", "phone")
	a.must(b.await(b.ctx, "8 s", func() bool { return time.Since(paused) > 8*time.Second }))
	logins := a.logins()

	a.signals(syscall.SIGCONT)
	a.standing()
	b.chat("m3")
	b.wants("phone", "phone", "phone")
	a.must(a.await(a.ctx, "the picture of both", func() bool { return a.gauge("rouse_processes") == "2" && b.gauge("rouse_processes") == "2" }))
	if n := a.owed(); n != a.past {
		t.Errorf("the one that was paused decided %d wakes more", n-a.past)
	}
	if n := a.logins(); n != logins || logins != 2 || !b.linked() || a.linked() {
		t.Errorf("%d connections, then %d, want 2 and 2", logins, n)
	}
	a.standing()
}

// TestServerKeepsTheOldLink: without kick_old a process that is paused keeps the
// others out, and the log says how to mend it.
func TestServerKeepsTheOldLink(t *testing.T) {
	a, b := pair(t, lab.Options{})
	b.standsBy()
	a.sleeps(a.device("phone"))
	a.signals(syscall.SIGSTOP)
	remedy := `below Component \"push.example.test\" (Prosody)`
	b.must(b.await(b.ctx, "the remedy in the log", func() bool {
		return b.logged("conflict") > 1 && b.logged(`component_conflict_resolve = \"kick_old\" `+remedy) > 1
	}))
	a.signals(syscall.SIGCONT)
	b.takesOver(time.Now(), 2*time.Second) // it lets go at once
	a.standing()
	b.chat("m1")
	b.wants("phone")
}

// TestBothSend: what one process does not come to sending, the other sends.
func TestBothSend(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks, HostLua: "push_max_devices = 100"})
	b.standsBy()
	const users, each = 6, 32 // more than the 128 that are sent at once
	want := make(map[string]int)
	for u := range users {
		name := fmt.Sprintf("user%d", u)
		a.must(a.prosody.AddUser(name, "pw"))
		c := a.client(name, "phone", lab.ClientOptions{})
		before := a.events("enable")
		for d := range each {
			device := fmt.Sprintf("%s-%d", name, d)
			r, err := c.Register(a.ctx, a.prosody.Rouse().JID, "fcm", pushtest.FCMToken(device), device)
			a.must(err)
			a.must(c.EnablePush(a.ctx, r))
			want[pushtest.FCMToken(device)] = 1
		}
		a.saw("enable", before+each)
		a.leaves(c)
	}
	a.fcm.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{Delay: 3 * time.Second} })
	for u := range users {
		a.must(a.romeo.Send(a.ctx, lab.Chat(fmt.Sprintf("user%d@%s", u, a.prosody.Host()), fmt.Sprintf("m%d", u), "body")))
	}
	got, err := a.fcm.WaitDelivered(a.ctx, users*each)
	a.must(err)
	a.must(a.await(a.ctx, "the count of both", func() bool { return a.delivered()+b.delivered() == users*each }))
	t.Logf("%d sent by the one with the link, %d by the other", a.delivered(), b.delivered())
	if a.delivered() == 0 || b.delivered() == 0 {
		t.Errorf("%d were sent by the one with the link, %d by the other", a.delivered(), b.delivered())
	}
	times := make(map[string]int)
	for _, w := range got {
		times[w.Token]++
	}
	if !maps.Equal(times, want) || len(a.fcm.Received()) != users*each {
		t.Errorf("%d tries for %d devices, want %d", len(a.fcm.Received()), len(times), users*each)
	}
}

// TestHandOver: a process that stops in good order is followed at once.
func TestHandOver(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	b.standsBy()
	a.sleeps(a.device("phone"))
	a.chat("m1")
	a.wants("phone")
	a.past += a.owed()
	b.follows(a)
	began := time.Now()
	a.must(a.stop())
	a.sends(lab.Chat(juliet, "m2", "body of m2"))
	b.takesOver(began, 2*time.Second)
	b.wants("phone", "phone")
	if n := b.logged(`msg="a process is gone`); n != 0 {
		t.Error("a process that departed is taken for dead")
	}
}

// TestKilledDuringTheSendBesideAnother: nobody knows whether the provider took
// the wake. Another process sends it again, as soon as the killed one is known to
// be gone, so that the phone can tell that it is the same one.
func TestKilledDuringTheSendBesideAnother(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	a.sleeps(a.device("phone"))
	a.fcm.Queue(pushtest.Reply{Hang: true})
	a.chat("m1")
	_, err := a.fcm.Wait(a.ctx, 1)
	a.must(err)
	b.standsBy()
	a.kills()
	b.follows(a)
	died := time.Now()
	b.were("phone")
	took := time.Since(died)
	t.Logf("sent again after %v", took.Round(time.Millisecond))
	if took > 8*time.Second {
		t.Errorf("it was sent again after %v", took)
	}
	b.wants("phone")
	if tries := a.fcm.Received(); len(tries) != 2 || tries[0].ID != tries[1].ID || tries[0].Collapse != tries[1].Collapse {
		t.Errorf("tries: %+v", tries)
	}
}

// TestStatusOfTwo: both are asked, then the store itself.
func TestStatusOfTwo(t *testing.T) {
	a, b := pair(t, lab.Options{RouseLua: kicks})
	b.standsBy()
	host := machine()
	for _, p := range []*play{a, b} {
		p.must(p.await(p.ctx, "both in the status", func() bool {
			text := p.get("/status.json")
			return strings.Contains(text, `"link":"up"`) && strings.Contains(text, `"link":"standing by"`)
		}))
		text := p.runs(0, "status")
		for _, want := range []string{
			fmt.Sprintf("link       %s (pid %d) has it since ", host, a.rouse.Process.Pid),
			fmt.Sprintf(" %d ", b.rouse.Process.Pid), "standing by", "store      redis://127.0.0.1:",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	a.kills()
	text := a.runs(0, "status") // its own rouse is dead
	if !strings.Contains(text, fmt.Sprintf(" %d ", b.rouse.Process.Pid)) {
		t.Errorf("b is not in\n%s", text)
	}
	b.takesOver(time.Now(), 5*time.Second)
	b.kills()
	b.must(b.await(b.ctx, "both to be taken for dead", func() bool {
		return strings.Contains(b.runs(-1, "status"), "rouse: no rouse works on this store\n")
	}))
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
