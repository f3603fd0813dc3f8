package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// scene is everything around a rouse that is to be seen at work: a real server
// with mod_rouse, real clients, and stand-ins for APNs, FCM and a service of Web
// Push that speak the real protocols. rouse itself is a process of its own, so that it can be killed.
// The demo and the scenario tests play on it.
type scene struct {
	dir       string
	server    server
	prosody   *lab.Prosody // the server, where it is one
	clients   *lab.Clients
	apns      *pushtest.APNs
	fcm       *pushtest.FCM
	webpush   *pushtest.WebPush
	vapid     []byte     // our key for it
	redis     *lab.Redis // nil: the store is a file
	store     string     // what [store] says
	rules     string     // what [rules] says
	component string     // what [component] says besides
	ios       string     // what the [[app]] of apns says besides
	web       string     // host:port of rouse's listener
	program   []string   // how rouse is started: path and arguments before the command
	env       []string
	rouse     *exec.Cmd
	ended     chan error
	log       *os.File
}

// The apps of a scene, and the names of what devices register with.
const (
	sceneTopic   = "org.example.chat"
	sceneIOS     = "chat-ios"
	sceneAndroid = "chat-android"
	sceneWeb     = "chat-web"
)

// newScene starts everything but rouse, with a Prosody. Its options may leave out
// Dir. Only a whole scene needs closing.
func newScene(ctx context.Context, dir string, program, env []string, o lab.Options) (*scene, error) {
	s, err := startProsody(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	return newSceneOn(s, dir, program, env)
}

// newSceneOn is newScene with a server that runs, and is closed with the scene.
func newSceneOn(on sceneServer, dir string, program, env []string) (_ *scene, err error) {
	s := &scene{dir: dir, program: program, env: env, store: `url = "sqlite:rouse.db"`, server: serverOf(on)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.apns, err = pushtest.NewAPNs(pushtest.APNsOptions{Topics: []string{sceneTopic}}); err != nil {
		return nil, err
	}
	if s.fcm, err = pushtest.NewFCM(pushtest.FCMOptions{}); err != nil {
		return nil, err
	}
	if s.webpush, err = pushtest.NewWebPush(pushtest.WebPushOptions{}); err != nil {
		return nil, err
	}
	if s.vapid, _, err = pushtest.VAPIDKey(); err != nil {
		return nil, err
	}
	if p, ok := s.server.(onProsody); ok {
		s.prosody = p.Prosody
	}
	if s.clients, err = lab.StartClients(); err != nil {
		return nil, err
	}
	return s, s.configure()
}

// configure writes rouse.toml and what it names.
func (s *scene) configure() error {
	rouse := s.server.Rouse()
	return s.configureFor(s.server.ComponentAddr(), rouse.JID, rouse.Secret, s.server.Host())
}

// configureFor is configure for a server of one host.
func (s *scene) configureFor(address, jid, secret, host string) error {
	key, apnsCA, err := s.apns.WriteFiles(s.dir)
	if err != nil {
		return err
	}
	credentials, fcmCA, err := s.fcm.WriteFiles(s.dir)
	if err != nil {
		return err
	}
	vapid, webCA, err := s.webpush.WriteFiles(s.dir, s.vapid)
	if err != nil {
		return err
	}
	port, release, err := lab.FreePort()
	if err != nil {
		return err
	}
	defer release()
	s.web = fmt.Sprintf("127.0.0.1:%d", port)
	text := fmt.Sprintf(`[component]
jid     = %q
address = %q
secret  = %q
hosts   = [%q]
%s

[store]
%s

[rules]
%s

[[app]]
name     = %q
provider = "apns"
topic    = %q
key_file = %q
key_id   = %q
team_id  = %q
endpoint = %q
ca_file  = %q
%s

[[app]]
name             = %q
provider         = "fcm"
credentials_file = %q
endpoint         = %q
ca_file          = %q

[[app]]
name           = %q
provider       = "webpush"
vapid_key_file = %q
contact        = "mailto:push@example.org"
allow_private  = true
ca_file        = %q

[web]
listen = %q

[log]
level = "debug"
`, jid, address, secret, host, s.component, s.store, s.rules,
		sceneIOS, sceneTopic, key, s.apns.KeyID(), s.apns.TeamID(), s.apns.URL(), apnsCA, s.ios,
		sceneAndroid, credentials, s.fcm.URL(), fcmCA,
		sceneWeb, vapid, webCA, s.web)
	return os.WriteFile(s.config(), []byte(text), 0o600)
}

func (s *scene) config() string { return filepath.Join(s.dir, "rouse.toml") }

// second is another rouse on the same stage, with the same key: another machine,
// but for the address of its listener. It is to be stopped before the stage goes.
func (s *scene) second(dir string) (*scene, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := *s
	b.dir, b.rouse, b.ended, b.log = dir, nil, nil, nil
	return &b, b.configure()
}

// start starts rouse and waits until its link is up.
func (s *scene) start(ctx context.Context) error {
	if err := s.launch(); err != nil {
		return err
	}
	return s.await(ctx, "rouse's link to the server", s.linked)
}

func (s *scene) linked() bool { return s.gauge("rouse_component_connected") == "1" }

// launch starts rouse.
func (s *scene) launch() error {
	if s.log == nil {
		f, err := os.OpenFile(filepath.Join(s.dir, "rouse.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		s.log = f
	}
	args := append(append([]string{}, s.program[1:]...), "serve", "-c", s.config())
	cmd := exec.Command(s.program[0], args...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.rouse, s.ended = cmd, make(chan error, 1)
	go func() { s.ended <- cmd.Wait() }()
	return nil
}

// kill ends rouse as a crash would.
func (s *scene) kill() error { return s.end(syscall.SIGKILL) }

// stop ends rouse as an operator would, and reports how it ended.
func (s *scene) stop() error { return s.end(syscall.SIGTERM) }

func (s *scene) end(sig syscall.Signal) error {
	if s.rouse == nil {
		return nil
	}
	s.rouse.Process.Signal(sig)
	err := <-s.ended
	s.rouse = nil
	if sig == syscall.SIGKILL {
		return nil
	}
	return err
}

// await waits for something to become true, looking often, and less often the
// longer it takes: many scenes may share a machine. what says what.
func (s *scene) await(ctx context.Context, what string, is func() bool) error {
	const often, seldom = 5 * time.Millisecond, 100 * time.Millisecond
	for pause := often; !is(); pause = min(2*pause, seldom) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, ctx.Err())
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("rouse ended while %s was waited for: %v\n%s", what, err, s.logTail(10))
		case <-time.After(pause):
		}
	}
	return nil
}

// gauge reads one line of rouse's metrics: "" while it is not there.
func (s *scene) gauge(name string) string {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + s.web + "/metrics")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// events says how many events of a kind rouse has taken since it started.
func (s *scene) events(kind string) int {
	var n float64
	fmt.Sscan(s.gauge(`rouse_events_total{kind="`+kind+`"}`), &n)
	return int(n)
}

func (s *scene) logTail(lines int) string {
	b, err := os.ReadFile(filepath.Join(s.dir, "rouse.log"))
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// close ends everything that was started.
func (s *scene) close() error {
	var errs []error
	if s.clients != nil {
		errs = append(errs, s.clients.Close())
	}
	errs = append(errs, s.stop())
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.redis != nil {
		errs = append(errs, s.redis.Close())
	}
	if s.apns != nil {
		errs = append(errs, s.apns.Close())
	}
	if s.fcm != nil {
		errs = append(errs, s.fcm.Close())
	}
	if s.webpush != nil {
		errs = append(errs, s.webpush.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(errs...)
}
