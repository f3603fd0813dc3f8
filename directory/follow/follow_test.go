package follow

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"rouse/directory"
	"rouse/directory/dirlab"
	"rouse/directory/snapshot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// both plays on an OpenLDAP and on a 389-DS.
func both(t *testing.T, do func(t *testing.T, software string)) {
	t.Helper()
	for _, software := range []string{openLDAP, ds389} {
		t.Run(software, func(t *testing.T) {
			t.Parallel()
			do(t, software)
		})
	}
}

const (
	openLDAP = "OpenLDAP"
	ds389    = "389"
)

// rig is a server that somebody follows.
type rig struct {
	t     *testing.T
	ctx   context.Context
	slapd dirlab.Server
	admin *ldap.Conn
	dir   string
	db    *snapshot.DB
	f     *Follower
	stop  func()
	fresh chan struct{}

	mu   sync.Mutex
	late time.Duration // how much later the clock shows
}

func newRig(t *testing.T, software, ldif string) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	r := &rig{t: t, ctx: ctx, dir: t.TempDir()}
	var err error
	if software == ds389 {
		r.slapd, err = dirlab.StartDS389(ctx, t.TempDir(), []byte(ldif))
	} else {
		r.slapd, err = dirlab.StartSlapd(ctx, t.TempDir(), []byte(ldif))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.slapd.Kill() })
	r.connect()
	return r
}

func (r *rig) connect() {
	r.t.Helper()
	var err error
	if r.admin, err = r.slapd.Conn(); err != nil {
		r.t.Fatal(err)
	}
	admin := r.admin
	r.t.Cleanup(func() { admin.Close() })
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.late).UTC()
}

// follows begins to follow, from what the snapshot has.
func (r *rig) follows(change ...func(*Config)) {
	r.t.Helper()
	var err error
	if r.db, err = snapshot.Open(r.ctx, filepath.Join(r.dir, "directory.db")); err != nil {
		r.t.Fatal(err)
	}
	r.fresh = make(chan struct{}, 1)
	cfg := Config{Servers: []string{r.slapd.URL()}, Bind: Simple(dirlab.Notifier, dirlab.NotifierPass), Layout: directory.FreeIPA(dirlab.Suffix), Now: r.now,
		Expiry: directory.Expiry{Days: directory.Warnings()}, Logger: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Fresh: func() {
			select {
			case r.fresh <- struct{}{}:
			default:
			}
		}}
	for _, f := range change {
		f(&cfg)
	}
	if r.f, err = New(r.ctx, r.db, cfg); err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() { done <- r.f.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Error(err)
			}
			if err := r.db.Close(); err != nil {
				r.t.Error(err)
			}
		})
	}
	r.t.Cleanup(r.stop)
}

// followed waits until a refresh is complete that began later.
func (r *rig) followed() {
	r.t.Helper()
	r.await("a refresh", func() bool { s := r.f.Status(); return s.Server != "" && !s.Baseline.IsZero() && s.Failed == "" })
}

func (r *rig) await(what string, so func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("it never came to this: %s; %+v", what, r.f.Status())
		}
	}
}

// wants takes out the events that wait, and fails unless they are these: "kind name".
func (r *rig) wants(want ...string) {
	r.t.Helper()
	var got []string
	r.await(fmt.Sprint(want, " and not ", got), func() bool {
		list, err := r.db.Events(r.ctx, 1000)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, w := range list {
			got = append(got, w.Kind+" "+w.Name)
		}
		for _, w := range list {
			if err := r.db.Done(r.ctx, w.N); err != nil {
				r.t.Fatal(err)
			}
		}
		return len(got) >= len(want)
	})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Fatalf("happened\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (r *rig) add(ldif string) {
	r.t.Helper()
	lines := strings.Split(strings.TrimSpace(ldif), "\n")
	req := ldap.NewAddRequest(strings.TrimPrefix(lines[0], "dn: "), nil)
	attrs := map[string][]string{}
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		attrs[name] = append(attrs[name], value)
	}
	for name, values := range attrs {
		req.Attribute(name, values)
	}
	if err := r.admin.Add(req); err != nil {
		r.t.Fatal(err)
	}
}

func dn(uid string) string { return "uid=" + uid + "," + dirlab.Users }

func (r *rig) modify(dn, attr string, values ...string) {
	r.t.Helper()
	m := ldap.NewModifyRequest(dn, nil)
	m.Replace(attr, values)
	if err := r.admin.Modify(m); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) delete(dn string) {
	r.t.Helper()
	if err := r.admin.Del(ldap.NewDelRequest(dn, nil)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) move(from, rdn, to string) {
	r.t.Helper()
	if err := r.admin.ModifyDN(ldap.NewModifyDNRequest(from, rdn, true, to)); err != nil {
		r.t.Fatal(err)
	}
}

const admins = "cn=admins," + dirlab.Groups

// TestFollow: what there is is no news; what happens then is told as it happens.
func TestFollow(t *testing.T) {
	t.Parallel()
	both(t, testFollow)
}

func testFollow(t *testing.T, software string) {
	r := newRig(t, software, dirlab.Person("juliet", "krbPasswordExpiration: "+time.Now().AddDate(0, 0, 10).UTC().Format("20060102150405Z"), "krbLastPwdChange: 20260101000000Z")+dirlab.Person("romeo"))
	r.follows()
	r.followed()
	r.wants("password.expiring juliet")
	if s := r.f.Status(); !strings.HasPrefix(s.Software, software) || s.Users != 2 || s.Guard != "" {
		t.Errorf("status %+v", s)
	}
	r.add(dirlab.Person("nurse"))
	r.wants("user.created nurse")
	r.modify(dn("romeo"), "mail", "romeo@mantua.test")
	r.wants("user.changed romeo")
	r.modify(admins, "member", dn("juliet"), dn("nurse"))
	r.wants("group.member-added admins", "group.member-added admins", "group.member-removed admins")
	if got := r.f.Members("admins"); !slices.Equal(got, []string{"id-juliet", "id-nurse"}) {
		t.Errorf("admins are %v", got)
	}
	r.modify(dn("juliet"), "nsAccountLock", "TRUE")
	r.wants("user.disabled juliet")
	r.move(dn("nurse"), "uid=angelica", "")
	r.wants("user.renamed angelica") // and nobody left the group
	r.move(dn("angelica"), "uid=angelica", "cn=deleted users,cn=accounts,cn=provisioning,"+dirlab.Suffix)
	r.wants("user.preserved angelica")
	r.move("uid=angelica,cn=deleted users,cn=accounts,cn=provisioning,"+dirlab.Suffix, "uid=angelica", dirlab.Users)
	r.wants("user.restored angelica")
	r.delete(dn("romeo"))
	r.wants("user.deleted romeo")
	r.delete(dn("angelica")) // who was in a group: that is no news of its own
	r.wants("user.deleted angelica")
	r.modify(dn("juliet"), "title", "Miss") // of no interest
	r.modify(dn("juliet"), "telephoneNumber", "1")
	r.wants("user.changed juliet")
	if software == ds389 { // it takes RFC 3062 by TLS only
		r.modify(dn("juliet"), "userPassword", "new")
	} else if _, err := r.admin.PasswordModify(ldap.NewPasswordModifyRequest(dn("juliet"), "", "new")); err != nil {
		t.Fatal(err)
	}
	r.modify(dn("juliet"), "krbLastPwdChange", "20261127120000Z")
	r.modify(dn("juliet"), "loginShell", "/bin/zsh")
	r.wants("password.changed juliet", "user.changed juliet")
}

// TestNothingIsLost: what happens while nobody looks, because rouse or the server was
// killed, is told after that, once.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	both(t, testNothingIsLost)
}

func testNothingIsLost(t *testing.T, software string) {
	for name, kill := range map[string]func(*rig){
		"rouse ends":                       func(r *rig) { r.stop() },
		"the server":                       func(r *rig) { r.kills() },
		"both":                             func(r *rig) { r.stop(); r.kills() },
		"rouse, with a cookie of long ago": func(r *rig) { r.stop(); r.has("rid=000,sid=001,csn=20200101000000.000000Z#000000#001#000000") },
		"rouse, with one of the future":    func(r *rig) { r.stop(); r.has("rid=000,sid=001,csn=20400101000000.000000Z#000000#001#000000") },
		"rouse, with none of its own":      func(r *rig) { r.stop(); r.has("none of theirs") },
	} {
		if software == ds389 && strings.HasPrefix(name, "rouse, ") {
			continue // none of its cookies is believed, and none kept
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var people strings.Builder
			for i := range 30 {
				people.WriteString(dirlab.Person(fmt.Sprintf("u%02d", i)))
			}
			r := newRig(t, software, people.String())
			r.follows()
			r.followed()
			r.modify(dn("u00"), "mail", "first@example.test") // there is a cookie after that
			r.wants("user.changed u00")
			kill(r)
			r.add(dirlab.Person("new"))
			r.modify(admins, "member", dn("new"), "cn=nobody,"+dirlab.Suffix)
			r.modify(dn("u01"), "nsAccountLock", "TRUE")
			r.delete(dn("u02"))
			if name != "the server" { // there somebody may look again already
				r.add(dirlab.Person("came"))
				r.delete(dn("came")) // between two looks: nobody saw it
			}
			if strings.HasPrefix(name, "rouse") || name == "both" {
				r.follows()
			}
			r.wants("user.created new", "group.member-added admins", "user.disabled u01", "user.deleted u02")
			r.modify(dn("u03"), "mail", "second@example.test")
			r.wants("user.changed u03")
		})
	}
}

// kills ends the server as a crash would, and starts it again.
func (r *rig) kills() {
	r.t.Helper()
	if err := r.slapd.Kill(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.slapd.Start(r.ctx); err != nil {
		r.t.Fatal(err)
	}
	r.connect()
}

// has leaves another cookie in the snapshot.
func (r *rig) has(cookie string) {
	r.t.Helper()
	db, err := snapshot.Open(r.ctx, filepath.Join(r.dir, "directory.db"))
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := db.State(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	s.Cookie = base64.StdEncoding.EncodeToString([]byte(cookie))
	if _, err := db.Commit(r.ctx, snapshot.Step{State: s}, r.now()); err != nil {
		r.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// TestManyAreNotGoneAtOnce: an account that lost its rights, or a server that has lost
// its entries, is no reason to tell that everybody was deleted.
func TestManyAreNotGoneAtOnce(t *testing.T) {
	t.Parallel()
	both(t, testManyAreNotGone)
}

func testManyAreNotGone(t *testing.T, software string) {
	var people strings.Builder
	for i := range 80 {
		people.WriteString(dirlab.Person(fmt.Sprintf("u%02d", i)))
	}
	r := newRig(t, software, people.String())
	r.follows()
	r.followed()
	r.stop()
	for i := range 60 {
		r.delete(dn(fmt.Sprintf("u%02d", i)))
	}
	r.has("none of theirs")
	r.follows()
	r.await("the guard", func() bool { return r.f.Status().Guard != "" })
	r.modify(dn("u70"), "mail", "other@example.test")
	r.wants("user.changed u70", "watch.degraded directory")
	if s := r.f.Status(); s.Users != 80 {
		t.Errorf("%d users are left", s.Users)
	}
	if err := r.db.Accept(r.ctx); err != nil { // somebody knows that they are gone
		t.Fatal(err)
	}
	r.await("that it is believed", func() bool { return r.f.Status().Users == 20 })
	if s := r.f.Status(); s.Guard != "" {
		t.Errorf("status %+v", s)
	}
	events, err := r.db.Events(r.ctx, 1000)
	if err != nil || len(events) != 60 || events[0].Kind != "user.deleted" {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestAttributesAreNotGoneAtOnce: nor is it believed of an attribute that the account
// may not read any more.
func TestAttributesAreNotGoneAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, software string) {
		var people strings.Builder
		for i := range 80 {
			people.WriteString(dirlab.Person(fmt.Sprintf("u%02d", i), "loginShell: /bin/sh"))
		}
		r := newRig(t, software, people.String())
		r.follows()
		r.followed()
		r.stop()
		r.has("none of theirs")
		for i := range 70 {
			r.modify(dn(fmt.Sprintf("u%02d", i)), "loginShell")
		}
		r.modify(dn("u75"), "loginShell", "/bin/zsh")
		r.follows()
		r.await("the guard", func() bool {
			return strings.Contains(r.f.Status().Guard, "loginshell: not shown any more of 70 entries")
		})
		r.modify(dn("u01"), "mail", "other@example.test")
		r.wants("user.changed u75", "watch.degraded directory", "user.changed u01")
		if err := r.db.Accept(r.ctx); err != nil {
			t.Fatal(err)
		}
		r.await("that it is believed", func() bool { return r.f.Status().Guard == "" && r.f.Status().Server != "" })
		events, err := r.db.Events(r.ctx, 1000)
		if err != nil || len(events) != 70 || events[0].Kind != "user.changed" {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}
