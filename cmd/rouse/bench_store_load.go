package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"rouse/session"
	"rouse/store"
)

// nobodysHost is a domain that nobody has (RFC 2606): its accounts are the bench's.
const nobodysHost = "bench.invalid"

func benchOwner(i int) string { return fmt.Sprintf("user%d@%s", i, nobodysHost) }

// benchDecision is what a stanza for a phone that sleeps leads to: a state, a wake and
// a reason.
func benchDecision(key string, version, n uint64, now time.Time) store.Commit {
	phone := session.Address{Service: "push.example.org", Node: "0123456789abcdef0123456789abcdef"}
	return store.Commit{
		Key: key, Version: version,
		Account: session.Account{
			Sessions:  map[string]session.Session{"c2s0000000001-19b3f8a0001": {Resource: "phone.a1b2", State: session.Hibernated, Epoch: 1772366400123, Counter: n, Out: n, Told: session.Mark{Epoch: 1772366400123, Seq: n}}},
			Endpoints: map[session.Address]session.Endpoint{phone: {Owner: "c2s0000000001-19b3f8a0001", Resource: "phone.a1b2", Enabled: now, Told: session.Mark{Epoch: 1772366400123, Seq: n}}},
			Serial:    n,
		},
		Put: map[session.WakeKey]session.Wake{{Address: phone, Class: session.Message}: {Serial: n, Count: 1, Rule: "a3", Since: now, Due: now}},
		Reasons: []session.Reason{{At: now, Rule: "a3", Event: session.Queue, Verdict: session.Woke, Class: session.Message,
			Endpoint: phone, Session: "c2s0000000001-19b3f8a0001", Why: "a message waits for a phone that sleeps"}},
	}
}

// decisionBytes is about how many bytes a decision has, for a floor that writes as many.
func decisionBytes() int {
	c := benchDecision(benchOwner(0), 1, 1, time.Now())
	size := 0
	for _, part := range []any{c.Account.Sessions["c2s0000000001-19b3f8a0001"], c.Reasons} {
		text, err := json.Marshal(part)
		if err == nil {
			size += len(text)
		}
	}
	return size
}

// together runs n calls of do in so many goroutines, each with its own number.
func together(callers, n int, do func(caller, times int) error) error {
	errs := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		times := n / callers
		if i < n%callers {
			times++
		}
		all.Go(func() { errs[i] = do(i, times) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// decide makes n decisions; so many callers have one under way each, about an owner of
// their own. Like the gateway they know the state from the decision before.
func decide(ctx context.Context, st store.Store, callers, n int) error {
	return together(callers, n, func(caller, times int) error {
		if times == 0 {
			return nil
		}
		o, err := st.Load(ctx, benchOwner(caller))
		if err != nil {
			return err
		}
		version := o.Version
		for i := range times {
			c := benchDecision(o.Key, version, o.Account.Serial+uint64(i)+1, time.Now())
			if version, err = st.Commit(ctx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

// sqliteFloor is a transaction for each decision, of one statement.
func sqliteFloor(file string, size int) (run func(ctx context.Context, callers, n int) error, closeIt func() error, err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE floor (k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID"); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	value := strings.Repeat("x", size)
	return func(ctx context.Context, callers, n int) error {
		return together(callers, n, func(caller, times int) error {
			for range times {
				if _, err := db.ExecContext(ctx, "INSERT OR REPLACE INTO floor VALUES (?, ?)", benchOwner(caller), value); err != nil {
					return err
				}
			}
			return nil
		})
	}, db.Close, nil
}

// storeTally is what was used up.
type storeTally struct {
	at          time.Time
	cpu, server time.Duration
	reads       int
	scripts     int // and waits, that came from a client
	sets        int // also inside of scripts
	bytes       int // that came from clients
}

func ownTally(context.Context) (storeTally, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return storeTally{}, err
	}
	return storeTally{at: time.Now(), cpu: time.Duration(used.Utime.Nano() + used.Stime.Nano())}, nil
}

// measure is one run of one path, after a tenth of it to warm up.
func measure(ctx context.Context, s *storeSubject, p storePath, callers, n int) (storeFigures, error) {
	if err := p.run(ctx, callers, max(n/10, callers)); err != nil {
		return storeFigures{}, err
	}
	before, err := s.tally(ctx)
	if err != nil {
		return storeFigures{}, err
	}
	if err := p.run(ctx, callers, n); err != nil {
		return storeFigures{}, err
	}
	after, err := s.tally(ctx)
	if err != nil {
		return storeFigures{}, err
	}
	commands := after.scripts - before.scripts
	if commands == 0 {
		commands = after.sets - before.sets
	}
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(n) }
	return storeFigures{
		decisionsPerSecond:  float64(n) / after.at.Sub(before.at).Seconds(),
		cpuPerDecision:      each(after.cpu - before.cpu),
		serverPerDecision:   each(after.server - before.server),
		readsPerDecision:    float64(after.reads-before.reads) / float64(n),
		commandsPerDecision: float64(commands) / float64(n),
	}, nil
}
