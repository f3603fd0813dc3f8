package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// play is a scene with rouse on it, and what scenarios ask of it. Devices are
// named by their resource; the token, the device id and the name of a device are
// the same word.
type play struct {
	*scene
	t     *testing.T
	ctx   context.Context
	romeo *lab.Client
	nodes map[string]lab.Registration
	names map[string]string // of devices, by their subscription
	past  int               // wakes that were decided by a rouse that is not there any more
}

// patience is how long a play may take on a busy machine, and its stage before.
const patience = 3 * time.Minute

// both plays on each server, in a subtest of its own, while other tests go on.
func both(t *testing.T, w wish, do func(*testing.T, *play)) {
	t.Helper()
	t.Parallel()
	prepareBoth(t, w, func(t *testing.T, p *play) { do(t, p.begins()) })
}

// prepareBoth is both without rouse and without romeo, and nothing else goes on
// where t is not parallel.
func prepareBoth(t *testing.T, w wish, do func(*testing.T, *play)) {
	t.Helper()
	w.users = cast
	for name, serve := range map[string]func(context.Context, string) (server, error){
		"Prosody":  func(ctx context.Context, dir string) (server, error) { return startProsody(ctx, dir, w.prosody()) },
		"ejabberd": func(ctx context.Context, dir string) (server, error) { return theatre.serve(ctx, dir, w) },
	} {
		t.Run(name, func(t *testing.T) {
			p := prepareOn(t, func(ctx context.Context, dir string, program, env []string) (*scene, error) {
				s, err := serve(ctx, dir)
				if err != nil {
					return nil, err
				}
				return newSceneOn(s, dir, program, env)
			})
			if w.coalesce != "" {
				p.rules += fmt.Sprintf("coalesce = %q\n", w.coalesce)
			}
			if w.grace != "" {
				p.rules += fmt.Sprintf("grace = %q\n", w.grace)
			}
			if w.repeat != "" {
				p.rules += fmt.Sprintf("repeat = [%q]\n", w.repeat)
			} else {
				p.rules += "repeat = []\n" // whatever is owed is for something new
			}
			p.must(p.configure())
			do(t, p)
		})
	}
}

// begin sets a scene on a Prosody that is told more than others: juliet's devices
// come with login, romeo is at his desk.
func begin(t *testing.T, o lab.Options) *play {
	t.Helper()
	return prepare(t, o).begins()
}

func (p *play) begins() *play {
	p.t.Helper()
	p.must(p.start(p.ctx))
	p.romeo = p.client("romeo", "desk", lab.ClientOptions{})
	return p
}

// prepare is begin without rouse and without romeo.
func prepare(t *testing.T, o lab.Options) *play {
	t.Helper()
	o.Users = cast
	if o.Host == "" {
		o.Host = "example.test"
	}
	return prepareOn(t, func(ctx context.Context, dir string, program, env []string) (*scene, error) {
		return newScene(ctx, dir, program, env, o)
	})
}

// cast have accounts.
var cast = map[string]string{"juliet": "pw", "romeo": "pw", "nurse": "pw"}

// prepareOn is prepare with a scene to choose.
func prepareOn(t *testing.T, build func(ctx context.Context, dir string, program, env []string) (*scene, error)) *play {
	t.Helper()
	t.Parallel() // each has a server and ports of its own, and mostly waits
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	building, built := context.WithTimeout(context.Background(), patience)
	s, err := build(building, t.TempDir(), []string{self}, []string{asRouse + "=1"})
	built()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &play{scene: s, t: t, ctx: ctx, nodes: map[string]lab.Registration{}, names: map[string]string{}}
	t.Cleanup(func() {
		cancel()
		if err := s.close(); err != nil {
			t.Errorf("at the end: %v", err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s\nrouse:\n%s", s.server.Name(), s.server.LogTail(60), s.logTail(80))
		}
	})
	return p
}

// juliet is her address, room that of the chat room.
func (p *play) juliet() string { return "juliet@" + p.server.Host() }
func (p *play) room() string   { return "verona@" + rooms(p.server.Host()) }

func (p *play) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// client logs a user in.
func (p *play) client(user, resource string, o lab.ClientOptions) *lab.Client {
	p.t.Helper()
	o.JID, o.Password = user+"@"+p.server.Host()+"/"+resource, "pw"
	if o.Addr == "" {
		o.Addr = p.server.ClientAddr()
	}
	c, err := p.clients.Login(p.ctx, o)
	p.must(err)
	return c
}

// webSocket gives an address for clients that come by WebSocket.
func (p *play) webSocket() string {
	p.t.Helper()
	w, err := p.server.OpenWebSocket()
	p.must(err)
	p.t.Cleanup(func() {
		if err := w.Close(); err != nil {
			p.t.Error(err)
		}
	})
	return w.Addr()
}

// device logs juliet in on a device, registers it with FCM and enables push.
func (p *play) device(name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	p.enable(c, name)
	return c
}

// deviceOf is device with a provider to choose: "fcm", "apns" or "webpush".
func (p *play) deviceOf(provider, name string) *lab.Client {
	p.t.Helper()
	c := p.client("juliet", name, lab.ClientOptions{})
	p.enableBy(provider, c, name)
	return c
}

func (p *play) enable(c *lab.Client, name string) {
	p.t.Helper()
	p.enableBy("fcm", c, name)
}

func (p *play) enableBy(provider string, c *lab.Client, name string) {
	p.t.Helper()
	r := p.register(provider, c, name, name)
	n := p.events("enable")
	p.must(c.EnablePush(p.ctx, r))
	p.saw("enable", n+1)
}

// tokenOf is the token of a device with Google or Apple.
func tokenOf(provider, name string) string {
	if provider == "apns" {
		return pushtest.APNsToken(name)
	}
	return pushtest.FCMToken(name)
}

// register registers a device, with a token that gets a name of its own.
func (p *play) register(provider string, c *lab.Client, token, device string) lab.Registration {
	p.t.Helper()
	service := p.server.Rouse().JID
	var r lab.Registration
	var err error
	if provider == "webpush" {
		r, err = c.Subscribe(p.ctx, service, device, func(vapid string) lab.Subscription {
			text := p.webpush.Subscribe(token, vapid)
			p.names[text] = token
			parts := strings.Fields(text)
			return lab.Subscription{Endpoint: parts[0], P256DH: parts[1], Auth: parts[2]}
		})
	} else {
		r, err = c.Register(p.ctx, service, provider, tokenOf(provider, token), device)
	}
	p.must(err)
	p.nodes[token] = r
	return r
}

// kills ends rouse as a crash would.
func (p *play) kills() {
	p.t.Helper()
	p.past += p.owed()
	p.must(p.kill())
}

// starts has rouse come back.
func (p *play) starts() {
	p.t.Helper()
	p.must(p.start(p.ctx))
}

// sends has romeo send a stanza, and returns when the server has dealt with it,
// whether anybody took its reports or not.
func (p *play) sends(stanza string) {
	p.t.Helper()
	p.must(p.romeo.Send(p.ctx, stanza))
	p.dealt()
}

// dealt returns when the server has dealt with all that clients have sent before
// now, as far as romeo can tell.
func (p *play) dealt() {
	p.t.Helper()
	_, err := p.romeo.IQ(p.ctx, p.server.Host(), "get", "<ping xmlns='urn:xmpp:ping'/>")
	p.must(err)
	p.must(p.server.Settle(p.ctx))
}

// logged counts the lines of rouse's log, over all its lives, with some words.
func (p *play) logged(words string) int {
	p.t.Helper()
	return strings.Count(p.logTail(1<<20), words)
}

// pictured waits until rouse has had so many pictures of the server in all.
func (p *play) pictured(n int) {
	p.t.Helper()
	p.must(p.await(p.ctx, "the picture", func() bool { return p.logged("the picture is complete") >= n }))
}

// refused waits until the server says that a push service refused its own publish
// for now ("wait") or for good ("cancel").
func (p *play) refused(how string) {
	p.t.Helper()
	words := map[string]string{"Prosody wait": "Got error <wait:", "Prosody cancel": "Got error <cancel:",
		"ejabberd wait": "rejected notification", "ejabberd cancel": "disabling push"}[p.server.Name()+" "+how]
	p.must(p.await(p.ctx, "a refusal in the server's log", func() bool {
		return words != "" && strings.Contains(p.server.LogTail(5000), words)
	}))
}

// absent waits until the server knows that rouse is not there.
func (p *play) absent() {
	p.t.Helper()
	p.must(p.await(p.ctx, "the server to know that rouse is away", func() bool {
		answer, err := p.romeo.IQ(p.ctx, p.server.Rouse().JID, "get", "<ping xmlns='urn:xmpp:ping'/>")
		return err == nil && strings.Contains(answer, "<error")
	}))
}

// serverLogs waits until the server's log has some words.
func (p *play) serverLogs(words string) {
	p.t.Helper()
	p.must(p.await(p.ctx, fmt.Sprintf("%q in the server's log", words), func() bool {
		log, err := os.ReadFile(p.server.LogFile())
		return err == nil && strings.Contains(string(log), words)
	}))
}

// says has romeo send a stanza, and returns when the server has reported all that
// came of it.
func (p *play) says(stanza string) {
	p.t.Helper()
	p.must(p.romeo.Send(p.ctx, stanza))
	p.settle()
}

// chat is says with a chat message to juliet.
func (p *play) chat(id string) {
	p.t.Helper()
	p.says(lab.Chat(p.juliet(), id, "body of "+id))
}

// settle returns when everything that romeo's stanzas led to has been decided:
// the module reports in order, one batch at a time, and his second move is
// reported when the batch with the first has been answered.
func (p *play) settle() {
	p.t.Helper()
	p.dealt()
	n := p.events("csi")
	p.must(p.romeo.Inactive(p.ctx))
	p.saw("csi", n+1)
	p.must(p.romeo.Active(p.ctx))
	p.saw("csi", n+2)
}

// saw waits until rouse has taken so many events of a kind.
func (p *play) saw(kind string, n int) {
	p.t.Helper()
	p.must(p.await(p.ctx, fmt.Sprintf("%d events %q (%d so far)", n, kind, p.events(kind)), func() bool { return p.events(kind) >= n }))
}

// sleeps cuts a device's connection, and returns when rouse knows.
func (p *play) sleeps(c *lab.Client) {
	p.t.Helper()
	n := p.events("hibernated")
	p.must(c.Drop(p.ctx))
	p.saw("hibernated", n+1)
}

// wakesUp resumes a device's session.
func (p *play) wakesUp(c *lab.Client) {
	p.t.Helper()
	n := p.events("resumed")
	resumed, err := c.Login(p.ctx)
	p.must(err)
	if !resumed {
		p.t.Fatal("the session was not resumed")
	}
	p.saw("resumed", n+1)
}

// leaves logs a device out.
func (p *play) leaves(c *lab.Client) {
	p.t.Helper()
	n := p.events("ended")
	p.must(c.Bye(p.ctx))
	p.saw("ended", n+1)
}

// decisions are rouse's own count of what it decided, "rule verdict" -> times.
// They are for saying that nothing more is to come; who was woken is read from
// the stand-ins' books.
func (p *play) decisions() map[string]int {
	p.t.Helper()
	resp, err := http.Get("http://" + p.web + "/metrics")
	p.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	p.must(err)
	d := map[string]int{}
	for line := range strings.Lines(string(body)) {
		rest, ok := strings.CutPrefix(line, "rouse_decisions_total{")
		if !ok {
			continue
		}
		var rule, verdict string
		var n float64
		labels, value, _ := strings.Cut(rest, "} ")
		for l := range strings.SplitSeq(labels, ",") {
			k, v, _ := strings.Cut(l, "=")
			switch k {
			case "rule":
				rule = strings.Trim(v, `"`)
			case "verdict":
				verdict = strings.Trim(v, `"`)
			}
		}
		fmt.Sscan(value, &n)
		if n > 0 {
			d[rule+" "+verdict] = int(n)
		}
	}
	return d
}

// owed says how many wakes this rouse has decided, but for those that it took back
// because they were for what was read elsewhere.
func (p *play) owed() int {
	n := 0
	for k, v := range p.decisions() {
		if strings.HasSuffix(k, " wake") {
			n += v
		}
	}
	return n - p.decisions()["r withdraw"]
}

// woken names the devices that were woken, one name for each wake, sorted.
func (p *play) woken() []string {
	names := maps.Clone(p.names)
	for name := range p.nodes {
		names[pushtest.FCMToken(name)], names[pushtest.APNsToken(name)] = name, name
	}
	var list []string
	for _, w := range p.wakes() {
		name := names[w.Token]
		if name == "" {
			name = "stranger"
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// wakes are those that the stand-ins took, in order.
func (p *play) wakes() []pushtest.Received {
	all := slices.Concat(p.fcm.Delivered(), p.apns.Delivered(), p.webpush.Delivered())
	slices.SortStableFunc(all, func(a, b pushtest.Received) int { return a.At.Compare(b.At) })
	return all
}

// wants waits until exactly these devices were woken, one name for each wake
// since the beginning, and proves that no other wake was decided.
func (p *play) wants(devices ...string) {
	p.t.Helper()
	p.were(devices...)
	p.settle()
	p.were(devices...)
	if owed := p.past + p.owed(); owed != len(devices) {
		p.t.Fatalf("woken: %q, but %d wakes were decided: %v", devices, owed, p.told())
	}
}

// were waits until exactly these devices were woken. Others may follow.
func (p *play) were(devices ...string) {
	p.t.Helper()
	err := p.await(p.ctx, "wakes", func() bool { return len(p.woken()) >= len(devices) })
	slices.Sort(devices)
	if got := p.woken(); err != nil || !slices.Equal(got, devices) {
		p.t.Fatalf("woken: %q, want %q (%v); decisions: %v", got, devices, err, p.told())
	}
}

func (p *play) told() []string {
	d := p.decisions()
	var list []string
	for _, k := range slices.Sorted(maps.Keys(d)) {
		list = append(list, fmt.Sprintf("%s×%d", k, d[k]))
	}
	return list
}

// last is the newest wake that was delivered.
func (p *play) last() pushtest.Received {
	p.t.Helper()
	all := p.wakes()
	if len(all) == 0 {
		p.t.Fatal("nobody was woken")
	}
	return all[len(all)-1]
}

// noSecrets proves that rouse's log holds no token and no body.
func (p *play) noSecrets(words ...string) {
	p.t.Helper()
	log, err := os.ReadFile(filepath.Join(p.dir, "rouse.log"))
	p.must(err)
	for _, w := range words {
		if strings.Contains(string(log), w) {
			p.t.Errorf("rouse's log holds %q", w)
		}
	}
}
