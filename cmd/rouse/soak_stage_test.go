package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mellium.im/xmpp/jid"

	"rouse/component"
	"rouse/component/stanza"
	"rouse/push/pushtest"
	"rouse/servers/lab"
)

// soakStage is everything that plays in a soak: Prosody with mod_rouse, clients,
// stand-ins, rouse, and wires between them that can be cut.
type soakStage struct {
	dir     string
	books   *books
	prosody *lab.Prosody
	clients *lab.Clients
	apns    *pushtest.APNs
	fcm     *pushtest.FCM
	toAPNs  *wire
	toFCM   *wire
	store   soakStore
	rouses  []*soakRouse

	sender *component.Component // a component of Prosody that all stanzas come from
	stop   func() error         // ends it

	// Whoever deals with Prosody holds it for reading; who restarts it, for writing.
	// So it is always known what Prosody has taken.
	up      sync.RWMutex
	devices []*soakDevice
}

const (
	soakHost   = "example.test"
	soakSender = "load.example.test"

	// A client that is only slow, on a busy machine, must not look frozen.
	soakAckDelay = 5 * time.Second

	// What other programs may take for what they are told, on a machine that is busy.
	soakPatience = 5 * time.Minute
)

func newSoakStage(ctx context.Context, dir, kind string, users map[string]string) (_ *soakStage, err error) {
	s := &soakStage{dir: dir, books: newBooks()}
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
	// A call that may not be replaced on its way has no collapse id.
	s.apns.OnAnswer(func(r pushtest.Received) { s.books.accept(r.Token, r.At, r.Collapse == "", r.ID, r.Delivered()) })
	s.fcm.OnAnswer(func(r pushtest.Received) { s.books.accept(r.Token, r.At, r.Collapse == "", "", r.Delivered()) })
	if s.toAPNs, err = newWire(s.apns.URL()[len("https://"):]); err != nil {
		return nil, err
	}
	if s.toFCM, err = newWire(s.fcm.URL()[len("https://"):]); err != nil {
		return nil, err
	}
	s.prosody, err = lab.StartProsody(ctx, lab.Options{
		Dir: filepath.Join(dir, "prosody"), Host: soakHost, Users: users, LogLevel: "info",
		Components: []lab.Component{{JID: soakSender, Secret: "secret"}},
		AckDelay:   soakAckDelay, Hibernation: time.Hour,
		HostLua: "rouse_answer_timeout = 3", RouseLua: kicks,
	})
	if err != nil {
		return nil, err
	}
	if s.clients, err = lab.StartClients(); err != nil {
		return nil, err
	}
	if err := s.startSender(); err != nil {
		return nil, err
	}
	if s.store, err = soakStores[kind](ctx, dir); err != nil {
		return nil, err
	}
	for i := range s.store.processes() {
		if err := s.addRouse(i); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// startSender connects the component that stanzas come from.
func (s *soakStage) startSender() error {
	c, err := component.New(component.Config{
		JID: jid.MustParse(soakSender), Addresses: []string{s.prosody.ComponentAddr()},
		Secret: component.StaticSecret("secret"), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s.sender, s.stop = c, func() error { cancel(); return <-ended }
	return nil
}

// addRouse writes the configuration of one more process.
func (s *soakStage) addRouse(i int) error {
	name := fmt.Sprintf("rouse-%d", i+1)
	link, err := newWire(s.prosody.ComponentAddr())
	if err != nil {
		return err
	}
	port, release, err := lab.FreePort()
	if err != nil {
		return errors.Join(err, release())
	}
	defer release()
	logs, err := os.Create(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return err
	}
	r := &soakRouse{name: name, config: filepath.Join(s.dir, name+".toml"), web: fmt.Sprintf("127.0.0.1:%d", port), link: link, log: logs}
	s.rouses = append(s.rouses, r)
	if err := r.set(0); err != nil {
		return err
	}
	key, apnsCA, err := s.apns.WriteFiles(s.dir)
	if err != nil {
		return err
	}
	credentials, fcmCA, err := s.fcm.WriteFiles(s.dir)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`[component]
jid     = %q
address = %q
secret  = %q
hosts   = [%q]

[store]
url      = %q

[rules]
coalesce = "1s"
repeat   = [] # each wake is for something new

[[app]]
name     = %q
provider = "apns"
topic    = %q
key_file = %q
key_id   = %q
team_id  = %q
endpoint = "https://%s"
ca_file  = %q

[[app]]
name             = %q
provider         = "fcm"
credentials_file = %q
endpoint         = "https://%s"
ca_file          = %q

[web]
listen = %q

[log]
level = "debug"
`, s.prosody.Rouse().JID, link.address(), s.prosody.Rouse().Secret, soakHost, s.store.url(i),
		sceneIOS, sceneTopic, key, s.apns.KeyID(), s.apns.TeamID(), s.toAPNs.address(), apnsCA,
		sceneAndroid, credentials, s.toFCM.address(), fcmCA, r.web)
	return os.WriteFile(r.config, []byte(text), 0o600)
}

// send has Prosody deliver stanzas, and returns when it has dealt with them. An
// error that is errNotSent means that nothing has left; any other, that nobody
// knows. s.up must be held.
func (s *soakStage) send(ctx context.Context, stanzas ...stanza.Element) error {
	ctx, cancel := context.WithTimeout(ctx, soakPatience)
	defer cancel()
	for i, e := range stanzas {
		if err := s.sender.Send(ctx, e); err != nil {
			if i == 0 && errors.Is(err, component.ErrDisconnected) {
				return errNotSent
			}
			return err
		}
	}
	_, err := s.sender.Request(ctx, stanza.Element{Name: "iq", Attr: []stanza.Attr{{Name: "type", Value: "get"}, {Name: "to", Value: soakHost}},
		Children: []stanza.Element{{Space: "urn:xmpp:ping", Name: "ping"}}})
	return err
}

var errNotSent = errors.New("the sender is not connected")

// linked waits until a process has the link to Prosody.
func (s *soakStage) linked(ctx context.Context) error {
	for {
		for _, r := range s.rouses {
			if err := r.died(); err != nil {
				return err
			}
			if r.metrics(ctx)["rouse_component_connected"] == 1 {
				return nil
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("no rouse has a link: %w", ctx.Err())
		}
	}
}

// verify reads the whole store, when nobody works on it.
func (s *soakStage) verify(ctx context.Context) error {
	db, err := s.store.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(db.Verify(ctx), db.Close())
}

// close ends everything that was started.
func (s *soakStage) close() error {
	var errs []error
	if s.stop != nil {
		errs = append(errs, s.stop())
	}
	if s.clients != nil {
		errs = append(errs, s.clients.Close())
	}
	for _, r := range s.rouses {
		r.kill()
		r.all.Wait()
		r.link.close()
		errs = append(errs, r.log.Close())
	}
	for _, w := range []*wire{s.toAPNs, s.toFCM} {
		if w != nil {
			w.close()
		}
	}
	if s.store != nil {
		errs = append(errs, s.store.close())
	}
	if s.prosody != nil {
		errs = append(errs, s.prosody.Close())
	}
	if s.apns != nil {
		errs = append(errs, s.apns.Close())
	}
	if s.fcm != nil {
		errs = append(errs, s.fcm.Close())
	}
	return errors.Join(errs...)
}

// sleep waits, and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
