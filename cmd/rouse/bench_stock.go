package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/payload"
	"github.com/sideshow/apns2/token"
	"golang.org/x/net/http2"
	"mellium.im/xmpp"
	"mellium.im/xmpp/component"
	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/mux"

	"rouse/business"
	"rouse/config"
	"rouse/gateway"
	"rouse/push"
	"rouse/push/h2"
	"rouse/session"
	"rouse/store"
	"rouse/store/sqlite"
)

// oneByOne is the store with a transaction, and a sync, for each decision.
type oneByOne struct {
	*sqlite.Store
	mu sync.Mutex
}

func (s *oneByOne) Commit(ctx context.Context, c store.Commit) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Commit(ctx, c)
}

func (s *oneByOne) Claim(ctx context.Context, now time.Time, lease time.Duration, max int) ([]store.Claimed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.Claim(ctx, now, lease, max)
}

// stock is the whole path as one would write it first: the same rules, tables
// and steps as rouse, and for the rest what the libraries offer. Each wake is
// durable before its stanza is answered, claimed before it is sent, and settled
// after.
type stock struct {
	db     *oneByOne
	nodes  *gateway.Nodes
	client *apns2.Client
	topic  string
	self   jid.JID
	conn   net.Conn
	xmpp   *xmpp.Session
	log    io.Writer

	mu   sync.Mutex
	regs map[string]session.Registration // of the wakes under way, so that each is read once

	ctx   context.Context
	end   context.CancelFunc
	due   chan struct{} // something may be due
	slots chan struct{} // one for each push under way
	wg    sync.WaitGroup
}

func startStock(ctx context.Context, cfg *config.Config, log io.Writer) (subject, error) {
	db, err := sqlite.Open(ctx, cfg.Store.Path, sqlite.Options{})
	if err != nil {
		return subject{}, err
	}
	s := &stock{
		db: &oneByOne{Store: db}, log: log, regs: make(map[string]session.Registration),
		due: make(chan struct{}, 1), slots: make(chan struct{}, push.DefaultConcurrency),
	}
	s.ctx, s.end = context.WithCancel(ctx)
	if err := s.open(cfg); err != nil {
		return subject{}, errors.Join(err, s.stop())
	}
	s.wg.Go(s.work)
	s.wg.Go(func() {
		if err := s.xmpp.Serve(s.handlers()); err != nil && s.ctx.Err() == nil {
			s.complain("the stream ended", err)
		}
	})
	return subject{db: db, commits: func() uint64 { return db.Stats().Commits }, stop: s.stop}, nil
}

func (s *stock) open(cfg *config.Config) (err error) {
	if s.nodes, err = nodeKey(s.ctx, cfg.Store.KeyFile, s.db); err != nil {
		return err
	}
	if s.client, err = stockAPNs(&cfg.Apps[0]); err != nil {
		return err
	}
	s.topic = cfg.Apps[0].Topic
	if s.self, err = jid.Parse(cfg.Component.JID); err != nil {
		return err
	}
	if s.conn, err = net.Dial("tcp", cfg.Component.Address[0]); err != nil {
		return err
	}
	s.xmpp, err = component.NewSession(s.ctx, s.self, []byte(cfg.Component.Secret.Reveal()), s.conn)
	return err
}

// stockAPNs is apns2 with its own HTTP client. Only the authority is added.
func stockAPNs(app *config.App) (*apns2.Client, error) {
	roots, err := h2.Roots(app.CAFile)
	if err != nil {
		return nil, err
	}
	p8, err := os.ReadFile(app.KeyFile)
	if err != nil {
		return nil, err
	}
	key, err := token.AuthKeyFromBytes(p8)
	if err != nil {
		return nil, err
	}
	c := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: app.KeyID, TeamID: app.TeamID})
	//lint:ignore SA1019 apns2 makes its client with this transport
	c.HTTPClient.Transport.(*http2.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	c.Host = app.Endpoint
	return c, nil
}

func (s *stock) stop() error {
	s.end()
	if s.conn != nil {
		s.conn.Close()
	}
	s.wg.Wait()
	return s.db.Close()
}

func (s *stock) complain(what string, err error) { fmt.Fprintf(s.log, "stock: %s: %v\n", what, err) }

// decide loads, decides and commits, again if another was faster.
func (s *stock) decide(key string, d func(session.Account) (session.Account, []session.Reason)) error {
	for {
		o, err := s.db.Load(s.ctx, key)
		if err != nil {
			return err
		}
		c := store.Commit{Key: key, Version: o.Version}
		c.Account, c.Reasons = d(o.Account)
		c.Put, c.Drop = session.Changes(o.Account, c.Account)
		if _, err := s.db.Commit(s.ctx, c); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// event has an account decide an event, and tells the worker.
func (s *stock) event(key string, e session.Event) error {
	err := s.decide(key, func(a session.Account) (session.Account, []session.Reason) {
		return business.Decide(a, e, benchPolicy(), time.Now())
	})
	if err == nil {
		select {
		case s.due <- struct{}{}:
		default:
		}
	}
	return err
}

// registration gives a device; the first to ask reads it.
func (s *stock) registration(node string) (session.Registration, error) {
	s.mu.Lock()
	r, ok := s.regs[node]
	s.mu.Unlock()
	if ok {
		return r, nil
	}
	r, err := s.db.Registration(s.ctx, node)
	if err != nil {
		return r, err
	}
	s.mu.Lock()
	s.regs[node] = r
	s.mu.Unlock()
	return r, nil
}

// publish is what gateway.Publish checks and does.
func (s *stock) publish(from string, p *stockPublish) error {
	if !s.nodes.Ours(p.Node) {
		return errors.New("unknown node")
	}
	r, err := s.registration(p.Node)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(p.secret()), []byte(s.nodes.Secret(p.Node))) != 1 || r.Domain != from || !r.Live() {
		return errors.New("not allowed")
	}
	return s.event(store.NodeKey(p.Node), session.Event{
		Kind: session.Publish, Class: p.class(), Count: 1, Address: session.Address{Service: s.self.String(), Node: p.Node},
	})
}

// work claims what is due as often as something may be.
func (s *stock) work() {
	for {
		select {
		case <-s.due:
		case <-s.ctx.Done():
			return
		}
		for s.claim() {
		}
	}
}

// claim takes what there is room for, at least one, and reports whether there may
// be more: asking once too often would cost a transaction.
func (s *stock) claim() bool {
	select {
	case s.slots <- struct{}{}:
		<-s.slots // only this goroutine fills them
	case <-s.ctx.Done():
		return false
	}
	room := cap(s.slots) - len(s.slots)
	claimed, err := s.db.Claim(s.ctx, time.Now(), 4*time.Minute, room)
	if err != nil {
		if s.ctx.Err() == nil {
			s.complain("claim", err)
		}
		return false
	}
	for _, c := range claimed {
		s.slots <- struct{}{}
		s.wg.Go(func() {
			defer func() { <-s.slots }()
			if err := s.send(c); err != nil {
				s.complain("wake", err)
			}
		})
	}
	return len(claimed) == room
}

// send pushes and settles.
func (s *stock) send(c store.Claimed) error {
	r, err := s.registration(c.Key.Node)
	if err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.regs, c.Key.Node)
	s.mu.Unlock()
	answer, err := s.client.PushWithContext(s.ctx, &apns2.Notification{
		ApnsID:      stockID(c),
		DeviceToken: r.Token,
		Topic:       s.topic,
		CollapseID:  push.Collapse(c.Key.Class, c.Key.Node),
		Expiration:  push.Expiry(c.Key.Class, c.Wake.Since),
		Priority:    apns2.PriorityHigh,
		PushType:    apns2.PushTypeAlert,
		Payload: payload.NewPayload().AlertTitle("New message").AlertBody("You have a new message").
			Sound("default").MutableContent().Custom("account", r.Device),
	})
	if err != nil {
		return err
	}
	if !answer.Sent() {
		return fmt.Errorf("%d %s", answer.StatusCode, answer.Reason)
	}
	now := time.Now()
	done := session.Settlement{Verdict: session.Sent, At: now, Why: "apns: 200", Latency: now.Sub(c.Wake.Since)}
	asleep := ""
	err = s.decide(c.Owner, func(a session.Account) (session.Account, []session.Reason) {
		if sid := a.Endpoints[c.Key.Address].Owner; a.Sessions[sid].State == session.Hibernated {
			asleep = sid
		}
		return business.Settle(a, c.Key, c.Wake, done, benchPolicy())
	})
	if user, host, ok := strings.Cut(c.Owner, "@"); ok && err == nil && asleep != "" {
		return s.woken(host, user, asleep)
	}
	return err
}

// stockID is a UUID that stays the same over all tries.
func stockID(c store.Claimed) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", c.Owner, c.Key.Service, c.Key.Node, c.Wake.Serial, c.Wake.Since.UnixNano()))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// handlers route what is measured.
func (s *stock) handlers() *mux.ServeMux {
	return mux.New(component.NSAccept,
		mux.IQFunc("set", xml.Name{Space: stockPubsub, Local: "pubsub"}, s.takePublish),
		mux.IQFunc("set", xml.Name{Space: stockEvents, Local: "events"}, s.takeBatch),
	)
}
