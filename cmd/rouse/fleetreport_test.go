package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rouse/session"
	"rouse/store"
)

// atRest is a store that says the same each time.
type atRest struct {
	list   []store.Process
	counts store.Counts
	err    error
}

func (s atRest) Processes(context.Context) ([]store.Process, error) { return s.list, nil }
func (s atRest) Counts(context.Context) (store.Counts, error)       { return s.counts, s.err }

func TestFleetReport(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	stopped := map[string]string{"chat-ios": "403 InvalidProviderToken", "chat-android": "401 UNAUTHENTICATED"}
	mx1 := store.Process{ID: "p1", Machine: "mx1", PID: 4711, Version: "v0.2.0", Started: now.Add(-50 * time.Hour), Link: "up", Holds: now.Add(-3 * time.Hour), Said: now.Add(-time.Second)}
	mx2 := store.Process{ID: "p2", Machine: "mx2.example.org", PID: 97, Version: "v0.2.0", Started: now.Add(-12 * time.Minute), Link: "standing by", Said: now}
	counts := store.Counts{Sessions: map[session.State]int{session.Active: 118, session.Hibernated: 40}, Endpoints: 161}
	for _, tt := range []struct {
		name   string
		store  atRest
		holder string
		text   string
	}{
		{"all is well", atRest{list: []store.Process{mx1, mx2}, counts: counts}, "p1", `
store      redis://db.example.org:6379
link       mx1 (pid 4711) has it since 2026-11-25 09:00:00 (3h 0m): up
wakes      none pending
sessions   118 active, 0 inactive, 0 delayed, 40 hibernated
endpoints  161

machine          pid   version  up for  link
mx1              4711  v0.2.0   2d 2h   up
mx2.example.org  97    v0.2.0   12m 0s  standing by
`},
		{"mx1 was stopped and still believes that it has the link; an app is refused", atRest{
			list: []store.Process{mx1, func(p store.Process) store.Process {
				p.Link, p.Holds, p.Stopped = "being retried: connection refused", now.Add(-2*time.Second), stopped
				return p
			}(mx2)},
			counts: store.Counts{Pending: 7, OldestDue: now.Add(-95 * time.Second)},
		}, "p2", `
store      redis://db.example.org:6379
link       mx2.example.org (pid 97) has it since 2026-11-25 11:59:58 (2s): being retried: connection refused
wakes      7 pending, the oldest is late by 1m 35s
sessions   0 active, 0 inactive, 0 delayed, 0 hibernated
endpoints  0

machine          pid   version  up for  link
mx1              4711  v0.2.0   2d 2h   up
mx2.example.org  97    v0.2.0   12m 0s  being retried: connection refused

app chat-android is stopped on mx2.example.org (pid 97):
  401 UNAUTHENTICATED

app chat-ios is stopped on mx2.example.org (pid 97):
  403 InvalidProviderToken
`},
		{"nobody has the link", atRest{list: []store.Process{mx2}, counts: store.Counts{Pending: 1, OldestDue: now.Add(4 * time.Second)}}, "", `
store      redis://db.example.org:6379
link       nobody has it
wakes      1 pending, the next is due in 4s
sessions   0 active, 0 inactive, 0 delayed, 0 hibernated
endpoints  0

machine          pid  version  up for  link
mx2.example.org  97   v0.2.0   12m 0s  standing by
`},
		{"mx1 was killed, and nobody was there to see it", atRest{list: []store.Process{func(p store.Process) store.Process {
			p.Said = now.Add(-75 * time.Minute)
			return p
		}(mx1)}}, "", `
store      redis://db.example.org:6379
link       nobody has it
wakes      none pending
sessions   0 active, 0 inactive, 0 delayed, 0 hibernated
endpoints  0

machine  pid   version  up for  link
mx1      4711  v0.2.0   2d 2h   nothing heard for 1h 15m
`},
		{"nobody is there", atRest{counts: store.Counts{Pending: 2, OldestDue: now}}, "", `
store      redis://db.example.org:6379
link       nobody has it
wakes      2 pending, the oldest is due now
sessions   0 active, 0 inactive, 0 delayed, 0 hibernated
endpoints  0
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := reportFleet(t.Context(), tt.store, "redis://db.example.org:6379", now)
			if err != nil {
				t.Fatal(err)
			}
			if holder := r.Link; (holder != nil) != (tt.holder != "") || holder != nil && holder.Process != tt.holder {
				t.Errorf("the link is said to be %+v's, want %q", holder, tt.holder)
			}
			// What a program gets is as much as what a person gets.
			packed, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var unpacked fleetReport
			if err := json.Unmarshal(packed, &unpacked); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			unpacked.write(&b)
			if "\n"+b.String() != tt.text {
				t.Errorf("got\n%s\nwant%s", b.String(), tt.text)
			}
		})
	}
	if _, err := reportFleet(t.Context(), atRest{err: errors.New("refused")}, "", now); err == nil {
		t.Error("a store that does not answer has a report")
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", time.Minute: "1m 0s", time.Hour - 1: "59m 59s",
		25*time.Hour - 1: "1d 0h", 24*time.Hour - 1: "23h 59m", 1000 * time.Hour: "41d 16h",
	} {
		if got := age(d); got != want {
			t.Errorf("%v is told as %q, want %q", d, got, want)
		}
	}
}

func TestCallable(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8470": "127.0.0.1:8470", ":8470": "127.0.0.1:8470", "0.0.0.0:8470": "127.0.0.1:8470", "[::]:8470": "[::1]:8470",
		"[::1]:8470": "[::1]:8470", "mx1.example.org:8470": "mx1.example.org:8470", "192.0.2.1:8470": "192.0.2.1:8470",
	} {
		if got := callable(listen); got != want {
			t.Errorf("%s is called at %s, want %s", listen, got, want)
		}
	}
}

// TestAskStrangers: not everything that answers is a rouse that is well.
func TestAskStrangers(t *testing.T) {
	for answer, want := range map[string]string{
		"200 {}":            "not a rouse of this version",
		"200 <html>":        "not a rouse of this version",
		"404 404 not found": "not a rouse of this version",
		"503 the store does not answer: connection refused\n": ": the store does not answer: connection refused",
	} {
		code, body, _ := strings.Cut(answer, " ")
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var n int
			fmt.Sscan(code, &n)
			w.WriteHeader(n)
			fmt.Fprint(w, body)
		}))
		_, err := askProcess(t.Context(), strings.TrimPrefix(srv.URL, "http://"))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", answer, err, want)
		}
		srv.Close()
	}
}
