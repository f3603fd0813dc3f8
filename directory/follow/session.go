package follow

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory"
)

// errAnew says that the next session has to begin with a full refresh.
var errAnew = errors.New("the server does not know what changed since")

const (
	syncControl     = "1.3.6.1.4.1.4203.1.9.1.1" // RFC 4533 §2.2
	refreshRequired = 4096                       // e-syncRefreshRequired, RFC 4533 §2.5
)

// Filter selects what is of interest, by object classes.
const Filter = "(|(objectClass=posixAccount)(objectClass=inetOrgPerson)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)" +
	"(objectClass=ipaUserGroup)(objectClass=ipaHost)(objectClass=ipaHostGroup)(objectClass=ipaService)(objectClass=krbPwdPolicy))"

// Dial connects and binds, and gives what the server says it is.
func Dial(ctx context.Context, server string, cfg *Config) (*ldap.Conn, string, error) {
	c, host, err := connect(server, cfg)
	if err != nil {
		return nil, "", err
	}
	fail := func(what string, err error) (*ldap.Conn, string, error) {
		c.Close()
		return nil, "", fmt.Errorf("%s: %w", what, err)
	}
	if err := cfg.Bind(ctx, c, host); err != nil {
		return fail("bind", err)
	}
	root, err := c.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 30, false, "(objectClass=*)",
		[]string{"supportedControl", "vendorName", "vendorVersion"}, nil))
	if err != nil || len(root.Entries) != 1 {
		return fail("the root entry", errors.Join(err, errors.New("cannot be read")))
	}
	e := root.Entries[0]
	if !slices.Contains(e.GetAttributeValues("supportedControl"), syncControl) {
		return fail("RFC 4533", errors.New("the server does not offer it: load the overlay syncprov (OpenLDAP), or enable the plugin Content Synchronization (389-DS)"))
	}
	software := strings.TrimSpace(e.GetAttributeValue("vendorName") + " " + e.GetAttributeValue("vendorVersion"))
	if software == "" {
		software = "OpenLDAP"
	}
	return c, software, nil
}

// trustworthy reports whether a server's cookies may be believed.
func trustworthy(software string) bool { return software == "OpenLDAP" }

// message is one that came by the stream.
type message struct {
	entry *ldap.Entry
	state *ldap.ControlSyncState
	info  *ldap.ControlSyncInfo
}

// changed reports whether it shows an entry that is new or other than before.
func (m *message) changed() bool {
	return m.entry != nil && m.state != nil && (m.state.State == ldap.SyncStateAdd || m.state.State == ldap.SyncStateModify)
}

// session follows one server, until something goes wrong.
func (f *Follower) session(ctx context.Context, server string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, software, err := Dial(ctx, server, &f.cfg)
	if err != nil {
		return err
	}
	s := f.begin(server, software)
	request := ldap.NewSearchRequest(f.cfg.Layout.Suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, Filter, directory.Attributes(), nil)
	var look *lookup
	if !trustworthy(software) {
		if look, err = newLookup(server, &f.cfg); err != nil {
			c.Close()
			return err
		}
		defer look.close()
	}
	stream := c.Syncrepl(ctx, request, 256, ldap.SyncRequestModeRefreshAndPersist, s.cookie, false)
	messages, ended := make(chan message, 1000), make(chan error, 1)
	go func() { // a stream that nobody reads blocks its connection, Close included
		defer close(messages)
		var failed error
		refreshed := false
		for stream.Next() {
			m := message{entry: stream.Entry()}
			for _, control := range stream.Controls() {
				switch v := control.(type) {
				case *ldap.ControlSyncState:
					m.state = v
				case *ldap.ControlSyncInfo:
					m.info = v
					refreshed = refreshed || v.RefreshDelete != nil && v.RefreshDelete.RefreshDone || v.RefreshPresent != nil && v.RefreshPresent.RefreshDone
				}
			}
			if refreshed && look != nil && failed == nil && m.changed() {
				if m.entry, failed = look.entry(m.entry.DN); failed != nil {
					cancel()
				}
			}
			select {
			case messages <- m:
			case <-ctx.Done():
			}
		}
		ended <- errors.Join(failed, stream.Err())
	}()
	stopped := context.AfterFunc(ctx, func() { c.Close() })
	defer stopped()
	err = s.follow(ctx, messages)
	cancel()
	for range messages { // what came is of no use any more
	}
	c.Close()
	if streamed := <-ended; err == nil {
		err = streamed
	}
	switch {
	case ldap.IsErrorWithCode(err, refreshRequired), s.cookie != nil && s.refreshing && err != nil && !ldap.IsErrorWithCode(err, ldap.ErrorNetwork):
		f.mu.Lock()
		f.state.Cookie = ""
		f.mu.Unlock()
		if s.cookie != nil {
			return fmt.Errorf("%w: %v", errAnew, err)
		}
	case err == nil:
		return errors.New("the server ended the stream")
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return fmt.Errorf("%w: the server gives this account no more entries: raise its size limit (docs/directory.md)", err)
	}
	return err
}

// observation is one session with a server.
type observation struct {
	*Follower
	server     string
	software   string
	cookie     []byte // that it began with; nil: a full refresh
	refreshing bool
	present    bool            // what is not told of in the refresh is gone
	seen       map[string]bool // in the refresh
	later      []func()        // groups, and what is gone: when all others are known
	vanished   map[string]int  // attributes that are not shown any more, of how many entries
}

// begin decides with which cookie a session begins.
func (f *Follower) begin(server, software string) *observation {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.cfg.Now()
	s := &observation{Follower: f, server: server, software: software, refreshing: true, seen: make(map[string]bool), vanished: make(map[string]int)}
	source := f.cfg.Layout.Suffix + " " + Filter
	if f.state.Source != source {
		f.state.Source, f.state.Cookie = source, ""
	}
	if trustworthy(software) && now.Sub(f.state.Complete) < f.cfg.Reconcile {
		s.cookie = cookieBytes(f.state.Cookie)
	}
	s.present = s.cookie == nil
	name := shortName(server)
	f.model.options.Server, f.model.crosses = name, f.state.Server != "" && f.state.Server != name
	f.status.Server, f.status.Software, f.status.Since = server, software, now
	return s
}

// atOnce is how many messages are one step at most.
const atOnce = 2000

// follow takes in what comes: as much as there is at once is one step.
func (s *observation) follow(ctx context.Context, messages <-chan message) error {
	reconcile, accept := time.NewTimer(s.cfg.Reconcile), time.NewTicker(acceptPoll)
	defer reconcile.Stop()
	defer accept.Stop()
	for {
		var m message
		var ok bool
		select {
		case m, ok = <-messages:
		case <-reconcile.C:
			s.mu.Lock()
			s.state.Cookie = ""
			s.mu.Unlock()
			return fmt.Errorf("%w: it is read in full every %v", errAnew, s.cfg.Reconcile)
		case <-accept.C:
			if s.accepted(ctx) {
				return fmt.Errorf("%w: what is gone is to be believed", errAnew)
			}
			continue
		}
		if !ok {
			return nil
		}
		s.mu.Lock()
		for n := 1; ok; n++ {
			if err := s.take(ctx, m); err != nil {
				s.mu.Unlock()
				return err
			}
			if n == atOnce { // whatever is read is taken
				break
			}
			select {
			case m, ok = <-messages:
				continue
			default:
			}
			break
		}
		err := s.commit(ctx)
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// acceptPoll is how often is looked whether somebody says that what is gone is gone.
const acceptPoll = 5 * time.Second

// accepted reports whether a refresh that was not believed is to be made again.
func (s *observation) accepted(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Guard == "" {
		return false
	}
	is, err := s.db.Accepted(ctx, false)
	if err != nil && ctx.Err() == nil {
		s.cfg.Logger.Error("the snapshot cannot be read", "err", err)
	}
	if is {
		s.state.Cookie = ""
	}
	return is
}

// take takes in one message.
func (s *observation) take(ctx context.Context, m message) error {
	if m.info != nil {
		return s.inform(ctx, m.info)
	}
	if m.entry == nil || m.state == nil {
		return nil
	}
	s.remember(m.state.Cookie)
	sync := fmt.Sprintf("%x", m.state.EntryUUID[:])
	if s.refreshing {
		s.seen[sync] = true
	}
	quietly, now := s.state.Baseline.IsZero(), s.cfg.Now()
	switch m.state.State {
	case ldap.SyncStatePresent:
	case ldap.SyncStateDelete:
		delete(s.seen, sync)
		s.soon(func() { s.model.see(sync, nil, quietly, now) })
	default:
		e := s.model.observed(m.state.EntryUUID[:], m.entry)
		if e != nil && (e.Type == directory.Group || e.Type == directory.HostGroup || s.lacks(sync, e)) {
			s.soon(func() { s.model.see(sync, e, quietly, now) })
			return nil
		}
		s.model.see(sync, e, quietly, now)
	}
	return nil
}

// soon does it now, or in a refresh when all else is known: groups come before their
// members there, and members go before their groups say so.
func (s *observation) soon(do func()) {
	if s.refreshing {
		s.later = append(s.later, do)
		return
	}
	do()
}

func (s *observation) remember(cookie []byte) {
	if trustworthy(s.software) && len(cookie) > 0 && !s.refreshing && s.state.Guard == "" { // else the next session has to read all
		s.state.Cookie = cookieText(cookie)
	}
}

// inform takes in what the server says between entries (RFC 4533 §2.4).
func (s *observation) inform(ctx context.Context, info *ldap.ControlSyncInfo) error {
	switch {
	case info.SyncIdSet != nil:
		for _, id := range info.SyncIdSet.SyncUUIDs {
			sync := fmt.Sprintf("%x", id[:])
			if info.SyncIdSet.RefreshDeletes {
				quietly, now := s.state.Baseline.IsZero(), s.cfg.Now()
				s.soon(func() { s.model.see(sync, nil, quietly, now) })
			} else {
				s.seen[sync] = true
			}
		}
	case info.RefreshDelete != nil && info.RefreshDelete.RefreshDone:
		return s.refreshed(ctx, info.RefreshDelete.Cookie)
	case info.RefreshPresent != nil:
		s.present = true
		if info.RefreshPresent.RefreshDone {
			return s.refreshed(ctx, info.RefreshPresent.Cookie)
		}
	}
	return nil
}

// refreshed: all that there is was told. What was not is gone, if that can be: so many
// at once are a lost right, another base or a limit rather.
func (s *observation) refreshed(ctx context.Context, cookie []byte) error {
	if !s.refreshing {
		return nil
	}
	now := s.cfg.Now()
	if s.present {
		if err := s.believe(ctx, now); err != nil {
			return err
		}
	}
	for _, do := range s.later {
		do()
	}
	if s.present && s.state.Guard == "" {
		for _, sync := range s.gone() {
			s.model.see(sync, nil, s.state.Baseline.IsZero(), now)
		}
	}
	s.later, s.refreshing, s.model.crosses = nil, false, false
	s.state.Server = s.model.options.Server
	if s.present {
		s.state.Complete = now
	}
	s.seen = make(map[string]bool)
	first := s.state.Baseline.IsZero()
	if first {
		s.state.Baseline = now
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
	s.remember(cookie)
	s.status.Failed = ""
	s.lost = time.Time{}
	if since := s.state.Degraded; !since.IsZero() {
		s.state.Degraded = time.Time{}
		s.model.step.Events = append(s.model.step.Events, directory.Watch(directory.WatchRecovered, since, now, ""))
	}
	s.cfg.Logger.Info("the directory is followed", "server", s.server, "software", s.software, "entries", len(s.model.entries), "in_full", s.cookie == nil, "first", first)
	s.model.step.Events = append(s.model.step.Events, s.expiring(now)...)
	return s.commit(ctx)
}

// shortName is what people call a server: the first part of its host's name, or its
// address.
func shortName(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" {
		return server
	}
	if net.ParseIP(u.Hostname()) != nil {
		return u.Host
	}
	name, _, _ := strings.Cut(u.Hostname(), ".")
	return name
}
