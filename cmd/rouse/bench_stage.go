package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"rouse/business"
	"rouse/config"
	"rouse/gateway"
	"rouse/push/pushtest"
	"rouse/session"
	"rouse/store"
)

// Names on the stage.
const (
	benchService = "push.example.org"
	benchHost    = "example.org"
	benchSecret  = "bench secret"
	benchApp     = "bench"
	benchSID     = "c2s1" // of every account's session, in --events
	benchEpoch   = 1
)

// perBatch is what a server module sends at once (docs/events.md).
const perBatch = 100

// benchStage is what all runs share: the stand-in for APNs, the devices, and a store
// that knows them, of which each run gets a copy.
type benchStage struct {
	dir         string
	apns        *pushtest.APNs
	nodes       []string
	secrets     []string
	warm, total int              // wakes before those that count, and in all
	awake       func(i int) bool // whose session is active; nil: nobody's
	lasting     *config.Store    // the store of all runs; nil: each run gets a copy of a file
}

func newBenchStage(ctx context.Context, dir string, b *bench) (*benchStage, error) {
	per := 1
	if b.events {
		per = perBatch
	}
	warm := wholeStanzas(min(max(b.n/10, b.inflight), 2000), per)
	return (&benchStage{dir: dir, warm: warm, total: warm + wholeStanzas(b.n, per)}).set(ctx, b.events)
}

// set makes what is on the stage: the devices, and their accounts where asked for.
func (s *benchStage) set(ctx context.Context, accounts bool) (*benchStage, error) {
	var err error
	if s.apns, err = pushtest.NewAPNs(pushtest.APNsOptions{}); err != nil {
		return nil, err
	}
	if err := s.fill(ctx, accounts); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *benchStage) close() error { return s.apns.Close() }

// fill makes the keys and the store with its devices.
func (s *benchStage) fill(ctx context.Context, accounts bool) (err error) {
	if _, _, err := s.apns.WriteFiles(s.dir); err != nil {
		return err
	}
	key, err := gateway.NewKey(nil)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.dir, "rouse.key"), []byte(key), 0o600); err != nil {
		return err
	}
	nodes, err := gateway.NewNodes(key)
	if err != nil {
		return err
	}
	where := s.lasting
	if where == nil {
		where = &config.Store{Path: s.store(), Record: store.MaxReasons}
	}
	db, err := openStore(ctx, where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for i := range s.total {
		node := nodes.Issue("apns", fmt.Sprintf("device %d", i))
		s.nodes = append(s.nodes, node)
		s.secrets = append(s.secrets, nodes.Secret(node))
	}
	if accounts {
		// As if the last batch had been number 1 of this epoch: no picture is asked for.
		if err := db.SetReporter(ctx, store.Reporter{Host: benchHost}, store.Reporter{Host: benchHost, Epoch: benchEpoch, Seq: 1}); err != nil {
			return err
		}
	}
	return s.enrol(ctx, db, accounts)
}

// enrol has many at once, since they share commits.
func (s *benchStage) enrol(ctx context.Context, db store.Store, accounts bool) error {
	var wg sync.WaitGroup
	const together = 64
	errs := make([]error, together)
	for w := range together {
		wg.Go(func() {
			for i := w; i < s.total && errs[w] == nil; i += together {
				errs[w] = s.device(ctx, db, i, accounts)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// device registers one and, where asked for, gives its account a session that sleeps.
func (s *benchStage) device(ctx context.Context, db store.Store, i int, account bool) error {
	now := time.Now()
	err := db.Register(ctx, session.Registration{
		Node: s.nodes[i], App: benchApp, Token: benchToken(i), Device: fmt.Sprintf("%040x", i), Domain: benchHost, Updated: now,
	})
	if err != nil || !account {
		return err
	}
	state := session.Hibernated
	if s.awake != nil && s.awake(i) {
		state = session.Active
	}
	a := session.Account{
		Sessions: map[string]session.Session{benchSID: {Resource: "phone", State: state, Epoch: benchEpoch, Counter: 1}},
		Endpoints: map[session.Address]session.Endpoint{
			{Service: benchService, Node: s.nodes[i]}: {Owner: benchSID, Resource: "phone", Enabled: now},
		},
	}
	_, err = db.Commit(ctx, store.Commit{Key: benchUser(i) + "@" + benchHost, Account: a})
	return err
}

func benchUser(i int) string { return fmt.Sprintf("user%d", i) }

// benchToken gives a device's token; benchDevice is the reverse.
func benchToken(i int) string { return fmt.Sprintf("%064x", i+1) }

func benchDevice(token string) (i int, ok bool) {
	_, err := fmt.Sscanf(token, "%x", &i)
	return i - 1, err == nil
}

func (s *benchStage) store() string { return filepath.Join(s.dir, "rouse.db") }

// prepare makes the directory of one run, and gives its configuration.
func (s *benchStage) prepare(path, address string) (file string, err error) {
	dir, err := os.MkdirTemp(s.dir, path+"-")
	if err != nil {
		return "", err
	}
	url := "sqlite:rouse.db"
	if s.lasting != nil {
		url = s.lasting.URL.Reveal()
	} else if err := copySynced(filepath.Join(dir, "rouse.db"), s.store()); err != nil {
		return "", err
	}
	file = filepath.Join(dir, "rouse.toml")
	return file, os.WriteFile(file, fmt.Appendf(nil, `
[component]
jid     = %q
address = [%q]
secret  = %q
hosts   = [%q]

[store]
url      = %q
key_file = "../rouse.key"

[rules]
coalesce = "%v"
repeat   = ["%v"]

[[app]]
name     = %q
provider = "apns"
topic    = "org.example.chat"
key_file = "../AuthKey.p8"
key_id   = %q
team_id  = %q
endpoint = %q
ca_file  = "../apns-ca.pem"

[web]
listen = ""

[log]
level = "error"
`, benchService, address, benchSecret, benchHost, url, s.coalesce(), benchAgain, benchApp, s.apns.KeyID(), s.apns.TeamID(), s.apns.URL()), 0o600)
}

// benchAgain is after how long a device is woken again: nobody comes back here, and
// what that costs is measured, but for the second wake itself.
const benchAgain = 24 * time.Hour

// benchPolicy are the rules of a run.
func benchPolicy() business.Policy {
	p := business.DefaultPolicy()
	p.Repeat = []time.Duration{benchAgain}
	return p
}

// coalesce is the window of a run. A fleet has none: users of a small one have
// their next message within seconds, and would be woken for fewer of them.
func (s *benchStage) coalesce() time.Duration {
	if s.lasting != nil {
		return 0
	}
	return business.DefaultPolicy().Coalesce
}

// copySynced copies to the disk: what the kernel writes back later would fall on
// whatever is measured then.
func copySynced(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
