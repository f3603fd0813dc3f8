package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rouse/servers/lab"
	"rouse/session"
	"rouse/store"
	"rouse/store/storetest"
)

// rights are those that doc.go names.
func rights(t *testing.T, more ...string) string {
	t.Helper()
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text2, found := strings.Cut(string(text), "user rouse on >secret ")
	block, _, end := strings.Cut(text2, "\n//\n")
	if !found || !end {
		t.Fatal("doc.go names no rights")
	}
	words := strings.Fields(strings.ReplaceAll(block, "//", " "))
	return strings.Join(append(words, more...), " ")
}

// user has the rights that doc.go names.
func user(t *testing.T, more ...string) func(*lab.RedisOptions) {
	rules := rights(t, more...)
	return func(o *lab.RedisOptions) {
		o.Password, o.Users = "admin", []lab.RedisUser{{Name: "rouse", Password: "hunter2", Rules: rules}}
	}
}

func asUser(o *Options) { o.Username, o.Password = "rouse", "hunter2" }

func trust(t *testing.T, file string) func(*Options) {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return func(o *Options) { o.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} }
}

// With TLS, and a user who may do no more than has to be.
func TestSharedOverTLS(t *testing.T) {
	server := start(t, inMemory, user(t), func(o *lab.RedisOptions) { o.TLS = true })
	ca := trust(t, server.CAFile())
	storetest.RunShared(t, func(t *testing.T) (first, second store.Store) {
		if _, err := server.Do(t.Context(), "FLUSHALL"); err != nil {
			t.Fatal(err)
		}
		return server.open(t, ca, asUser, process(storetest.First)), server.open(t, ca, asUser, process(storetest.Second))
	})
	if err := use(t.Context(), server.open(t, ca, asUser, func(o *Options) { o.DB = 1 })); err != nil {
		t.Error(err)
	}
}

// use calls each method once, and more often where that makes a script do more.
func use(ctx context.Context, s *Store) error {
	name := "user" + versionText(s.version()) + "@example.org"
	v, err := s.Commit(ctx, typical(name, 1))
	if err != nil {
		return err
	}
	c := typical(name, 2)
	c.Version = v
	late := c.Reasons[0]
	late.At = late.At.Add(2 * store.ReasonAge)
	c.Reasons = append(c.Reasons, late) // the older ones go
	if _, err := s.Commit(ctx, c); err != nil {
		return err
	}
	many := store.Commit{Key: name + "2"}
	for range store.MaxReasons + 1 {
		many.Reasons = append(many.Reasons, late)
	}
	if v, err = s.Commit(ctx, many); err != nil {
		return err
	}
	many.Version = v
	_, err = s.Commit(ctx, many) // more than are kept
	_, err2 := s.Claim(ctx, noon.Add(time.Hour), time.Minute, 1)
	_, _, err3 := s.NextDue(ctx)
	err4 := s.EndLeases(ctx, "")
	_, err5 := s.Load(ctx, name)
	_, err6 := s.Reasons(ctx, name, time.Time{})
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	r := session.Registration{Node: name, App: "chat", Token: "t", Updated: noon}
	err = s.Register(ctx, r)
	_, err2 = s.Bury(ctx, name, "gone", noon)
	err3 = s.Unregister(ctx, name, "asked", noon)
	_, err4 = s.CountRegistrations(ctx)
	_, err5 = s.Counts(ctx)
	_, err6 = s.Keep(ctx, name, "x")
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	err = s.SetReporter(ctx, store.Reporter{Host: name}, store.Reporter{Host: name, Epoch: 1})
	_, err2 = s.Reporter(ctx, name)
	_, err3 = s.Announce(ctx, store.Process{ID: "silent"}, time.Minute)
	time.Sleep(2 * time.Millisecond)
	_, err4 = s.Announce(ctx, store.Process{ID: "p"}, time.Millisecond)
	_, err5 = s.Hold(ctx, "link", "p", time.Minute)
	_, err6 = s.Processes(ctx)
	if err := errors.Join(err, err2, err3, err4, err5, err6); err != nil {
		return err
	}
	err = errors.Join(s.Inherited(ctx, "silent"), s.Depart(ctx, "p"))
	err2 = s.Put(ctx, []store.Item{{Name: name}})
	for _, e := range s.Items(ctx) {
		err3 = errors.Join(err3, e)
	}
	for _, e := range s.Owners(ctx, "example.org") {
		err4 = errors.Join(err4, e)
	}
	return errors.Join(err, err2, err3, err4, s.Verify(ctx))
}

// No right is more than has to be: without it something fails, and says so.
func TestRightsAreTheLeast(t *testing.T) {
	server := start(t, inMemory, user(t))
	o := Options{Addrs: []string{server.Addr()}}
	asUser(&o)
	elsewhere := []string{"+wait", "+select"} // what a Redis alone, with database 0, does not show
	for _, right := range strings.Fields(rights(t)) {
		if right[0] != '+' || slices.Contains(elsewhere, right) {
			continue
		}
		t.Run(right, func(t *testing.T) {
			set := func(sign string) {
				if _, err := server.Do(t.Context(), "ACL", "SETUSER", "rouse", sign+right[1:]); err != nil {
					t.Fatal(err)
				}
			}
			for _, command := range [][]string{{"FLUSHALL"}, {"SCRIPT", "FLUSH"}} {
				if _, err := server.Do(t.Context(), command...); err != nil {
					t.Fatal(err)
				}
			}
			set("-")
			defer set("+")
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			s, err := Open(ctx, o)
			if err == nil {
				err = use(ctx, s)
				s.Close()
				t.Logf("Open did not notice: %v", err)
			}
			if !strings.Contains(errText(err), "ACL SETUSER") {
				t.Errorf("without it: %v", err)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Whoever may not in, or comes without TLS, is told what to change.
func TestNotLetIn(t *testing.T) {
	secure := start(t, inMemory, user(t), func(o *lab.RedisOptions) { o.TLS = true })
	plain := start(t, inMemory, user(t))
	ca := trust(t, secure.CAFile())
	for name, test := range map[string]struct {
		server *server
		change []func(*Options)
		want   string
	}{
		"no password":    {plain, nil, "put user and password into store.url"},
		"wrong password": {plain, []func(*Options){asUser, func(o *Options) { o.Password = "hunter3" }}, "is not what Redis knows"},
		"no TLS":         {secure, []func(*Options){asUser}, "with TLS if store.url says rediss"},
		"TLS":            {plain, []func(*Options){asUser, ca}, "and else without"},
		"not trusted":    {secure, []func(*Options){asUser, func(o *Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }}, "name its authority"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Addrs: []string{test.server.Addr()}}
			for _, c := range test.change {
				c(&o)
			}
			s, err := Open(t.Context(), o)
			if err == nil {
				s.Close()
			}
			if text := errText(err); !strings.Contains(text, test.want) || !strings.Contains(text, test.server.Addr()) || strings.Contains(text, "hunter") {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}
