package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

var update = flag.Bool("update", false, "write the newest file of testdata anew; a released format is never to change")

// frozen is a file of testdata, as some version of rouse wrote it.
func frozen(format int) string { return fmt.Sprintf("testdata/v%d.db", format) }

// fill puts into a store what the newest file of testdata holds.
func fill(t *testing.T, s *Store) {
	ctx := t.Context()
	account, key := v1()
	wake := session.Wake{Serial: 2, Count: 3, Rule: "a3", Since: noon, Due: noon, Attempt: 1}
	version, err := s.Commit(ctx, store.Commit{Key: "juliet@example.org", Account: account, Put: map[session.WakeKey]session.Wake{key: wake}, Reasons: v1Reasons()[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(ctx, store.Commit{Key: "juliet@example.org", Version: version, Account: account, Reasons: v1Reasons()[1:]}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(ctx, noon, time.Minute, 1); err != nil {
		t.Fatal(err)
	}
	for _, r := range registrationsOf(Format) {
		if err := s.Register(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetReporter(ctx, store.Reporter{Host: "example.org"}, store.Reporter{Host: "example.org", Epoch: 7, Seq: 8, Wanted: true, Picture: uint64(noon.UnixNano())}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Keep(ctx, "node key", "fingerprint"); err != nil {
		t.Fatal(err)
	}
}

func v1() (session.Account, session.WakeKey) {
	phone := session.Address{Service: "push.example.org", Node: "n1"}
	return session.Account{
		Epoch: 7, Counter: 1, Serial: 2,
		Sessions: map[string]session.Session{"s1": {Resource: "phone", Client: "c", State: session.Hibernated, Epoch: 7, Counter: 3, Out: 4, Acked: 2,
			Covered: [session.NumClasses]uint64{session.Message: 4}}},
		Endpoints: map[session.Address]session.Endpoint{phone: {Owner: "s1", Resource: "phone", Client: "c", Secret: "f", Enabled: noon, Woken: noon, WokenAs: session.Call}},
		Ended:     []session.Ending{{Session: "s0", Epoch: 7, Counter: 2, At: noon}},
		Seen:      []session.Sighting{{Key: "k", At: noon, Woken: []session.Address{phone}}},
	}, session.WakeKey{Address: phone, Class: session.Message}
}

func v1Reasons() []session.Reason {
	_, key := v1()
	return []session.Reason{
		{At: noon, Event: session.Bind, Verdict: session.Quiet, Session: "s1", Why: "a session began"},
		{At: noon.Add(1), Rule: "a3", Event: session.Queue, Verdict: session.Woke, Class: session.Message, Endpoint: key.Address, Session: "s1", Why: "it sleeps"},
	}
}

// registrationsOf gives those of a frozen file: each format can say more.
func registrationsOf(format int) []session.Registration {
	list := []session.Registration{
		{Node: "n1", App: "chat-ios", Token: "t", Device: "d", Domain: "example.org", Updated: noon},
		{Node: "n2", App: "chat-ios", Token: "u", Domain: "example.org", Updated: noon, Dead: "apns: 410", Died: noon.Add(1)},
		{Node: "n3", App: "chat-ios", Domain: "example.org", Updated: noon, Dead: "asked", Died: noon.Add(2)},
	}
	if format >= 2 {
		list = append(list, session.Registration{Node: "n4", App: "chat-ios", Token: "v", Device: "d", Domain: "example.org", Updated: noon,
			Family: session.Tigase, Account: "juliet@example.org", Channel: "c", Calls: "w"})
	}
	return list
}

// Each format, as it was released: every later rouse must open it.
func TestFrozenFormats(t *testing.T) {
	if *update {
		path := filepath.Join(t.TempDir(), "rouse.db")
		s := openAt(t, path, Options{})
		fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		copyFile(t, path, frozen(Format))
	}
	for format := 1; format <= Format; format++ {
		t.Run(strconv.Itoa(format), func(t *testing.T) { frozenFormat(t, format) })
	}
}

func frozenFormat(t *testing.T, format int) {
	path := filepath.Join(t.TempDir(), "rouse.db")
	copyFile(t, frozen(format), path)
	s := openAt(t, path, Options{})
	ctx := t.Context()
	if err := s.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	want, key := v1()
	until := noon.Add(time.Minute)
	want.Pending = map[session.WakeKey]session.Wake{key: {Serial: 2, Count: 3, Rule: "a3", Since: noon, Due: until, Attempt: 1, Lease: until, Sent: 3}}
	if o, err := s.Load(ctx, "juliet@example.org"); err != nil || o.Version != 3 || !reflect.DeepEqual(o.Account, want) {
		t.Errorf("owner %+v, %v, want version 3 of %+v", o, err, want)
	}
	if got, err := s.Reasons(ctx, "juliet@example.org", time.Time{}); err != nil || !reflect.DeepEqual(got, v1Reasons()) {
		t.Errorf("reasons %+v, %v", got, err)
	}
	for _, want := range registrationsOf(format) {
		if got, err := s.Registration(ctx, want.Node); err != nil || got != want {
			t.Errorf("registration %+v, %v, want %+v", got, err, want)
		}
	}
	if got, err := s.Reporter(ctx, "example.org"); err != nil || got != (store.Reporter{Host: "example.org", Epoch: 7, Seq: 8, Wanted: true, Picture: uint64(noon.UnixNano())}) {
		t.Errorf("reporter %+v, %v", got, err)
	}
	if got, err := s.Keep(ctx, "node key", "other"); err != nil || got != "fingerprint" {
		t.Errorf("kept %q, %v", got, err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// change runs SQL on a store that is closed.
func change(t *testing.T, path, query string) {
	t.Helper()
	db, err := open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// What Open refuses it leaves as it was, and says what to do.
func TestRefusedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		is      error
		says    string
	}{
		"newer format": {func(t *testing.T, path string) {
			copyFile(t, frozen(Format), path)
			change(t, path, fmt.Sprintf(`PRAGMA user_version=%d; PRAGMA wal_checkpoint(TRUNCATE)`, Format+1))
		}, store.ErrNewer, fmt.Sprintf("format %d", Format+1)},
		"another program's": {func(t *testing.T, path string) { change(t, path, `CREATE TABLE prosody(x)`) }, nil, "not a store of rouse"},
		"not SQLite":        {func(t *testing.T, path string) { os.WriteFile(path, []byte("[component]\n"), 0o600) }, nil, "not a SQLite file"},
		"empty":             {func(t *testing.T, path string) { os.WriteFile(path, nil, 0o600) }, nil, "not a SQLite file"},
		"a directory":       {func(t *testing.T, path string) { os.Mkdir(path, 0o700) }, nil, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rouse.db")
			c.prepare(t, path)
			before, _ := os.ReadFile(path)
			_, err := Open(t.Context(), path, Options{})
			var known *Error
			if !errors.As(err, &known) || known.Path != path || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one of %s that says %q", err, path, c.says)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want %v", err, c.is)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("no directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing", "rouse.db")
		_, err := Open(t.Context(), path, Options{})
		var known *Error
		if !errors.As(err, &known) || !errors.Is(err, fs.ErrNotExist) || !strings.Contains(known.Hint(), filepath.Dir(path)) {
			t.Errorf("error %v", err)
		}
	})
}

func TestOneRouseAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ? name # with %41 signs.db")
	s := openAt(t, path, Options{})
	if _, err := s.Commit(t.Context(), typical("juliet@example.org", 1)); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, Options{})
	var known *Error
	if !errors.As(err, &known) || !strings.Contains(err.Error(), "another rouse") || known.Hint() == "" {
		t.Fatalf("the second: %v", err)
	}
	if err := errors.Join(whole(t.Context(), s, "juliet@example.org", 1), s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that was closed leaves its log: %v", err)
	}
	again := openAt(t, path, Options{})
	if err := whole(t.Context(), again, "juliet@example.org", 1); err != nil {
		t.Error(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-lock"} {
		if i, err := os.Stat(name); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", name, i.Mode(), err)
		}
	}
}

// A machine that died while the store was made leaves a file of another name.
func TestUnfinishedCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rouse.db")
	if err := os.WriteFile(path+"-new", []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path, Options{})
	if err := s.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "-new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished file: %v", err)
	}
}

// Verify finds what SQLite finds, and what only we can find.
func TestVerify(t *testing.T) {
	for name, query := range map[string]string{
		"state":          `UPDATE owner SET state='{'`,
		"counts":         `UPDATE owner SET endpoints=5`,
		"host":           `UPDATE owner SET host='x'`,
		"sums":           `UPDATE counter SET active=3`,
		"serial":         `UPDATE counter SET serial=1`,
		"wake's owner":   `UPDATE wake SET owner='x'`,
		"wake's class":   `UPDATE wake SET class='x'`,
		"reason's owner": `UPDATE reason SET owner='x'`,
		"reason's n":     `UPDATE reason SET n=77 WHERE n=2`,
		"reason":         `UPDATE reason SET reason='x'`,
		"reasons": `INSERT INTO reason(owner, n, at, reason) WITH RECURSIVE c(n) AS (SELECT -1 UNION ALL SELECT n-1 FROM c LIMIT 200)
			SELECT 'juliet@example.org', n, 0, '{}' FROM c; UPDATE reason SET n=n+300; UPDATE owner SET record=900`,
		"index": `PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE INDEX wake_due ON wake(class, lease, due)' WHERE name='wake_due'`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rouse.db")
			copyFile(t, frozen(Format), path)
			change(t, path, query)
			s := openAt(t, path, Options{})
			if err := s.Verify(t.Context()); err == nil {
				t.Error("found nothing wrong")
			} else {
				t.Log(err)
			}
		})
	}
	t.Run("pages", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "rouse.db")
		copyFile(t, frozen(Format), path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b[4096:] { // all but the schema
			b[4096+i] ^= 0x5a
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Open(context.Background(), path, Options{})
		var known *Error
		if !errors.As(err, &known) || !strings.Contains(known.Hint(), "backup") {
			t.Errorf("error %v, want one that speaks of a backup", err)
		}
	})
}

// Reasons and tombstones go when they are too old by the times that come in.
func TestAges(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "rouse.db"), Options{})
	ctx := t.Context()
	commit := func(key string, version uint64, at time.Time, count int) uint64 {
		t.Helper()
		var lines []session.Reason
		for range count {
			lines = append(lines, session.Reason{At: at, Why: "x"})
		}
		version, err := s.Commit(ctx, store.Commit{Key: key, Version: version, Reasons: lines})
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	rows := func(table string, want int) {
		t.Helper()
		var n int
		if err := s.read(ctx, `SELECT count(*) FROM `+table, nil, func(r *sql.Rows) error { return r.Scan(&n) }); err != nil || n != want {
			t.Errorf("%d rows in %s, %v, want %d", n, table, err, want)
		}
	}
	commit("romeo@example.org", 0, noon, 5)
	v := commit("juliet@example.org", 0, noon.Add(time.Hour), 1)
	v = commit("juliet@example.org", v, noon.Add(store.ReasonAge), 1)
	rows("reason", 7)
	v = commit("juliet@example.org", v, noon.Add(store.ReasonAge+1), 1) // two may go for one that comes
	rows("reason", 6)
	v = commit("juliet@example.org", v, noon.Add(store.ReasonAge+2), 2)
	rows("reason", 5)
	commit("juliet@example.org", v, noon.Add(store.ReasonAge+2*time.Hour), 2)
	rows("reason", 6)

	for i, r := range registrationsOf(1) {
		r.Updated = noon.Add(time.Duration(i))
		if err := s.Register(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		at   time.Time
		want int
	}{{noon.Add(store.TombstoneAge + 2), 3}, {noon.Add(store.TombstoneAge + 3), 2}} {
		if _, err := s.Bury(ctx, "n2", "again", c.at); err != nil {
			t.Fatal(err)
		}
		rows("registration", c.want)
	}
	if err := s.Verify(ctx); err != nil {
		t.Error(err)
	}
}
