package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rouse/component/componenttest"
	"rouse/push/pushtest"
	"rouse/servers/lab"
	"rouse/store/sqlite"
)

// TestScripts plays testdata/script: what each command prints where, and how it
// ends. Beyond testscript's own, a script has these commands:
//
//	exits CODE PROGRAM [ARG...]   runs a program, which must end with CODE
//	edit FILE OLD NEW             replaces a text that is in the file once
//	standins [CONDITION]          starts an XMPP server (which refuses the first try with CONDITION), APNs and
//	                              FCM, and writes rouse.toml for them with all files that it names
//	ours                          has rouse.toml say that example.org is a host of ours
//	pushes                        puts devices that the stand-ins know into rouse.db
//	pushed NODE TYPE              wants the last push that APNs took to be for a device of those
//	answers WHO STATUS REASON     has apns, fcm or google (access tokens) answer the next request so
//	refuses WHO STATUS REASON     has apns or fcm refuse our credentials; 0 for STATUS: no longer
//	clock DURATION                has the clocks of both be ahead so much
//	mute                          the same with a server that takes the handshake and says nothing more
//	takestore                     holds rouse.db open, as another rouse
//	private FILE                  wants a file to be for its owner alone
//	secretshown FILE              wants stdout to have what is in a file
//	format N                      writes N as format version into rouse.db
//	fill STORE N                  puts N accounts with devices, wakes and decisions into a store
//	played FILE ACCOUNT           puts what a history leads to into rouse.db as the record of an account, until now
//	alike STORE STORE             wants both to hold the same
//	damage FILE STATEMENT         runs a statement of SQL in a file
//	cut SIGNAL STORE MORE ARG...  runs rouse, and ends it when there are so many MORE registrations in a file, or keys in a Redis
//	redis NAME [LINE...]          starts a Redis with lines of redis.conf, and sets NAME to its address
//	storein URL FILE...           writes an address into files of configuration as their store
//	ask NAME COMMAND...           gives a Redis a command; {user@host} is the shard of that owner
//	info NAME SECTION REGEXP      waits until what a Redis says of itself matches
//	end SIGNAL NAME               ends a Redis
//	again NAME                    starts it again
//	serve [ARG...]                starts rouse serve, waits until it says ready, and sets LISTENER
//	log REGEXP                    waits until what it logs matches
//	notified REGEXP               the same for what it tells systemd
//	follow ARG...                 starts rouse explain --follow
//	followed REGEXP               waits until it tells what matches, and interrupts it
//	signal NAME                   HUP, INT, TERM or KILL for it
//	ends CODE                     waits for its end
//	get PATH CODE                 asks its listener; the answer goes to stdout
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "ROUSE_CONFIG=")
			e.Values[stageKey{}] = &stage{t: t, serving: new(serving)}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"shows":       shows,
			"edit":        edit,
			"takestore":   takeStore,
			"format":      format,
			"fill":        fill,
			"played":      played,
			"alike":       alike,
			"storein":     storeIn,
			"cut":         onStage(4, -1, (*stage).cut),
			"redis":       onStage(1, -1, (*stage).startRedis),
			"ask":         onStage(2, -1, (*stage).redisCommand),
			"info":        onStage(3, 3, (*stage).redisInfo),
			"end":         onStage(2, 2, (*stage).endRedis),
			"again":       onStage(1, 1, (*stage).againRedis),
			"damage":      damageFile,
			"private":     private,
			"secretshown": secretShown,
			"standins":    onStage(0, 1, (*stage).standins),
			"ours":        ours,
			"pushes":      onStage(0, 0, (*stage).pushes),
			"pushed":      onStage(2, 2, (*stage).pushed),
			"answers":     onStage(3, 3, (*stage).answers),
			"refuses":     onStage(3, 3, (*stage).refuses),
			"clock":       onStage(1, 1, (*stage).setClock),
			"mute":        onStage(0, 0, (*stage).mute),
			"serve":       onStage(0, -1, (*stage).serve),
			"log":         onStage(1, 1, (*stage).log),
			"notified":    onStage(1, 1, (*stage).notified),
			"follow":      onStage(1, -1, (*stage).follow),
			"followed":    onStage(1, 1, (*stage).followed),
			"signal":      onStage(1, 1, (*stage).signal),
			"ends":        onStage(1, 1, (*stage).ends),
			"get":         onStage(2, 2, (*stage).get),
		},
	})
}

// scriptPatience is how long anything in a script may take.
const scriptPatience = time.Minute

func want(ts *testscript.TestScript, neg bool, args []string, least, most int, usage string) {
	if neg || len(args) < least || most >= 0 && len(args) > most {
		ts.Fatalf("usage: %s", usage)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, -1, "exits CODE PROGRAM [ARG...]")
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, args[0], ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// shows runs a program that has nothing to complain about until its output has a
// line like that.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, -1, "shows PATTERN PROGRAM [ARG...]")
	line, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(scriptPatience); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		switch {
		case line.MatchString(ts.ReadFile("stdout")):
			return
		case time.Now().After(deadline):
			ts.Fatalf("in vain: %s\n%s", args[0], ts.ReadFile("stdout"))
		}
	}
}

func edit(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, 3, "edit FILE OLD NEW")
	file := ts.MkAbs(args[0])
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%q is in %s %d times", args[1], args[0], n)
	}
	ts.Check(os.WriteFile(file, []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

func takeStore(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, 0, "takestore")
	st, err := sqlite.Open(context.Background(), ts.MkAbs("rouse.db"), sqlite.Options{})
	ts.Check(err)
	ts.Defer(func() { st.Close() })
}

// format writes into the header of a SQLite file (sqlite.org/fileformat2.html §1.3).
func format(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "format N")
	n, err := strconv.ParseUint(args[0], 10, 8)
	ts.Check(err)
	f, err := os.OpenFile(ts.MkAbs("rouse.db"), os.O_WRONLY, 0)
	ts.Check(err)
	_, err = f.WriteAt([]byte{0, 0, 0, byte(n)}, 60)
	ts.Check(errors.Join(err, f.Close()))
}

// stage is what surrounds one script: scripts run side by side.
type stage struct {
	t *testing.T
	*serving
	redis map[string]*lab.Redis
	apns  *pushtest.APNs
	fcm   *pushtest.FCM
	tail  *following   // of explain
	ahead atomic.Int64 // of the stand-ins' clocks, nanoseconds
}

// serving is one rouse serve.
type serving struct {
	cmd      *exec.Cmd
	out      transcript // its standard output
	err      transcript // its log
	systemd  transcript // what systemd is told
	ended    chan struct{}
	listener string
}

type stageKey struct{}

func onStage(least, most int, do func(*stage, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		want(ts, neg, args, least, most, "see TestScripts")
		do(ts.Value(stageKey{}).(*stage), ts, args)
	}
}

func (g *stage) standins(ts *testscript.TestScript, refuse []string) {
	server := componenttest.New(g.t, componenttest.Options{Host: "push.example.org", Refuse: refuse})
	apns, err := pushtest.NewAPNs(pushtest.APNsOptions{Now: g.clock})
	ts.Check(err)
	ts.Defer(func() { apns.Close() })
	fcm, err := pushtest.NewFCM(pushtest.FCMOptions{Now: g.clock})
	ts.Check(err)
	ts.Defer(func() { fcm.Close() })
	g.apns, g.fcm = apns, fcm
	dir := ts.MkAbs(".")
	_, _, err = apns.WriteFiles(dir)
	ts.Check(err)
	_, _, err = fcm.WriteFiles(dir)
	ts.Check(err)
	writeConfig(ts, server.Address(), apns.URL(), fcm.URL())
}

func writeConfig(ts *testscript.TestScript, component, apns, fcm string) {
	ts.Check(os.WriteFile(ts.MkAbs("component.secret"), []byte(componenttest.Secret+"\n"), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("rouse.toml"), fmt.Appendf(nil, `[component]
jid = "push.example.org"
address = [%q]
secret_file = "component.secret"

[[app]]
name = "chat-ios"
provider = "apns"
topic = "org.example.chat"
key_file = "AuthKey.p8"
key_id = "ABC123DEFG"
team_id = "TEAM45678X"
endpoint = %q
ca_file = "apns-ca.pem"

[[app]]
name = "chat-android"
provider = "fcm"
credentials_file = "service-account.json"
endpoint = %q
ca_file = "fcm-ca.pem"

[web]
listen = "127.0.0.1:0"
`, component, apns, fcm), 0o600))
}

func ours(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, 0, "ours")
	text := strings.Replace(ts.ReadFile("rouse.toml"), "[component]\n", "[component]\nhosts = [\"example.org\"]\n", 1)
	ts.Check(os.WriteFile(ts.MkAbs("rouse.toml"), []byte(text), 0o600))
}

// mute is a server that lets rouse wait for the end of its stream.
func (g *stage) mute(ts *testscript.TestScript, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'><handshake/>")
		io.Copy(io.Discard, conn)
	}()
	ts.Defer(func() { ln.Close(); <-done })
	writeConfig(ts, ln.Addr().String(), "", "")
	text, _, _ := strings.Cut(ts.ReadFile("rouse.toml"), "[[app]]")
	ts.Check(os.WriteFile(ts.MkAbs("rouse.toml"), []byte(text+"[web]\nlisten = \"127.0.0.1:0\"\n"), 0o600))
}

func (g *stage) serve(ts *testscript.TestScript, args []string) {
	self, err := os.Executable()
	ts.Check(err)
	v := &serving{cmd: exec.Command(self, append([]string{"serve"}, args...)...), ended: make(chan struct{})}
	g.serving = v
	v.cmd.Dir = ts.MkAbs(".")
	v.cmd.Stdout, v.cmd.Stderr = &v.out, &v.err
	v.cmd.Env = append(os.Environ(), asRouse+"=1", "ROUSE_CONFIG="+ts.Getenv("ROUSE_CONFIG"), "NOTIFY_SOCKET="+v.manager(ts))
	endWithParent(v.cmd)
	ts.Check(v.cmd.Start())
	ts.Defer(func() {
		v.cmd.Process.Kill()
		<-v.ended
	})
	go func() {
		v.cmd.Wait()
		v.err.end()
		v.out.end()
		close(v.ended)
	}()
	if !v.out.await(regexp.MustCompile(`(?m)^ready$`)) {
		ts.Fatalf("rouse serve did not become ready:\n%s", v.err.text())
	}
	// The line precedes ready, and yet comes by another way.
	address := regexp.MustCompile(`msg=ready .*\bweb=(\S+)`)
	if !v.err.await(address) {
		ts.Fatalf("the log does not say where rouse listens:\n%s", v.err.text())
	}
	v.listener = address.FindStringSubmatch(v.err.text())[1]
	ts.Setenv("LISTENER", v.listener)
}

// manager listens as systemd does (sd_notify(3)). Paths of sockets are short, so
// it lies elsewhere.
func (v *serving) manager(ts *testscript.TestScript) string {
	dir, err := os.MkdirTemp("", "rouse-notify-")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	ts.Check(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer v.systemd.end()
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			fmt.Fprintf(&v.systemd, "%s\n", b[:n])
		}
	}()
	ts.Defer(func() { conn.Close(); <-done })
	return socket
}

func (g *stage) log(ts *testscript.TestScript, args []string) {
	if !g.err.await(regexp.MustCompile(args[0])) {
		ts.Fatalf("nothing like this was logged:\n%s", g.err.text())
	}
}

func (g *stage) notified(ts *testscript.TestScript, args []string) {
	if !g.systemd.await(regexp.MustCompile(args[0])) {
		ts.Fatalf("systemd was told only:\n%s", g.systemd.text())
	}
}

func (g *stage) signal(ts *testscript.TestScript, args []string) {
	sig, ok := map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
	if !ok {
		ts.Fatalf("no signal %q", args[0])
	}
	ts.Check(g.cmd.Process.Signal(sig))
}

func (g *stage) ends(ts *testscript.TestScript, args []string) {
	select {
	case <-g.ended:
	case <-time.After(scriptPatience):
		ts.Fatalf("rouse serve goes on:\n%s", g.err.text())
	}
	if code := g.cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s\n%s", code, args[0], g.err.text())
	}
}

func (g *stage) get(ts *testscript.TestScript, args []string) {
	client := http.Client{Timeout: scriptPatience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + g.listener + args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[1] {
		ts.Fatalf("%s: %s\n%s", args[0], resp.Status, body)
	}
	ts.Stdout().Write(body)
}

// transcript is what somebody said so far, for others to wait for.
type transcript struct {
	mu      sync.Mutex
	said    bytes.Buffer
	over    bool
	changed chan struct{}
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.Write(p)
	s.stir()
	return len(p), nil
}

func (s *transcript) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.stir()
}

func (s *transcript) stir() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func (s *transcript) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// await returns true when re matches, and false when it will not any more.
func (s *transcript) await(re *regexp.Regexp) bool {
	timer := time.NewTimer(scriptPatience)
	defer timer.Stop()
	for {
		s.mu.Lock()
		found, over := re.Match(s.said.Bytes()), s.over
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if found || over {
			return found
		}
		select {
		case <-changed:
		case <-timer.C:
			return false
		}
	}
}
