package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rouse/session"
)

// letters are the session states as they stand in headers, sums and rows.
const letters = "aidh"

// A new state of a session needs a letter.
var _ = [1]struct{}{}[int(session.NumStates)-len(letters)]

// endpointsLetter counts endpoints in headers and sums.
const endpointsLetter = 'e'

// noCounts is the count of nothing.
const noCounts = "-"

// counts are what the sums of a shard are made of.
type counts struct {
	sessions  [session.NumStates]int
	endpoints int
}

func count(a session.Account) counts {
	c := counts{endpoints: len(a.Endpoints)}
	for _, s := range a.Sessions {
		c.sessions[s.State]++
	}
	return c
}

func (c *counts) add(d counts) {
	for i, n := range d.sessions {
		c.sessions[i] += n
	}
	c.endpoints += d.endpoints
}

// String is the form of the header: a letter and a number for all that is not zero.
func (c counts) String() string {
	var b []byte
	for state, n := range c.sessions {
		if n != 0 {
			b = strconv.AppendInt(append(b, letters[state]), int64(n), 10)
		}
	}
	if c.endpoints != 0 {
		b = strconv.AppendInt(append(b, endpointsLetter), int64(c.endpoints), 10)
	}
	if b == nil {
		return noCounts
	}
	return string(b)
}

// versionText is a version as it is stored. All have one length, so that a claim
// can write it over the old one.
func versionText(v uint64) string {
	if v == 0 {
		return "0"
	}
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[v>>(60-4*i)&15]
	}
	return string(b[:])
}

func parseVersion(text string) (uint64, error) {
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil || v == 0 || len(text) != 16 {
		return 0, fmt.Errorf("%q is not a version", text)
	}
	return v, nil
}

// owner is what lies under an owner's key: its version, its counts, its account.
type owner struct {
	version uint64
	counts  string
	account session.Account // without Pending
}

func appendOwner(b []byte, version uint64, counts string, a session.Account) []byte {
	b = append(b, versionText(version)...)
	b = append(b, ' ')
	b = append(b, counts...)
	b = append(b, ' ')
	return appendAccount(b, a)
}

func parseOwner(text string) (owner, error) {
	version, rest, _ := strings.Cut(text, " ")
	counts, account, found := strings.Cut(rest, " ")
	v, err := parseVersion(version)
	if err != nil {
		return owner{}, err
	}
	if !found {
		return owner{}, errors.New("it has no counts")
	}
	a, err := parseAccount([]byte(account))
	return owner{v, counts, a}, err
}

// appendAccount writes an object of what is there. Its names: e and n, epoch and
// counter of the last event without a session; w, serial of the newest wake; s,
// sessions by id; d, devices by address; x, sessions that ended; k, keys of stanzas.
func appendAccount(b []byte, a session.Account) []byte {
	b = append(b, '{')
	name := func(n string) {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), n...), '"', ':')
	}
	number := func(n string, v uint64) {
		if v != 0 {
			name(n)
			b = strconv.AppendUint(b, v, 10)
		}
	}
	number("e", a.Epoch)
	number("n", a.Counter)
	number("w", a.Serial)
	open := func(n string, bracket byte) {
		name(n)
		b = append(b, bracket)
	}
	if len(a.Sessions) > 0 {
		open("s", '{')
		for id, s := range a.Sessions {
			b = appendSession(append(appendString(separate(b, '{'), id), ':'), s)
		}
		b = append(b, '}')
	}
	if len(a.Endpoints) > 0 {
		open("d", '{')
		for address, e := range a.Endpoints {
			b = appendEndpoint(append(appendString(separate(b, '{'), address.Service+" "+address.Node), ':'), e)
		}
		b = append(b, '}')
	}
	if len(a.Ended) > 0 {
		open("x", '[')
		for _, e := range a.Ended {
			b = appendEnding(separate(b, '['), e)
		}
		b = append(b, ']')
	}
	if len(a.Seen) > 0 {
		open("k", '[')
		for _, s := range a.Seen {
			b = appendSighting(separate(b, '['), s)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// separate writes a comma unless the last thing was the bracket that opens.
func separate(b []byte, bracket byte) []byte {
	if b[len(b)-1] == bracket {
		return b
	}
	return append(b, ',')
}

func parseAccount(text []byte) (session.Account, error) {
	var row struct {
		E, N, W uint64
		S       map[string]sessionRow
		D       map[session.Address]endpointRow
		X       []endingRow
		K       []sightingRow
	}
	if err := json.Unmarshal(text, &row); err != nil {
		return session.Account{}, err
	}
	a := session.Account{Epoch: row.E, Counter: row.N, Serial: row.W}.Clone() // with no map nil
	for id, s := range row.S {
		a.Sessions[id] = session.Session(s)
	}
	for address, e := range row.D {
		a.Endpoints[address] = session.Endpoint(e)
	}
	for _, e := range row.X {
		a.Ended = append(a.Ended, session.Ending(e))
	}
	for _, s := range row.K {
		a.Seen = append(a.Seen, session.Sighting(s))
	}
	return a, nil
}

type (
	sessionRow  session.Session
	endpointRow session.Endpoint
	endingRow   session.Ending
	sightingRow session.Sighting
)

func appendSession(b []byte, s session.Session) []byte {
	l := newList(b)
	l.string(string(letters[s.State]))
	l.uint(s.Epoch)
	l.uint(s.Counter)
	l.string(s.Resource)
	l.time(s.Touched)
	l.uint(s.Out)
	l.uint(s.Acked)
	l.value(s.Covered == [session.NumClasses]uint64{}, func(b []byte) []byte {
		c := newList(b)
		for _, n := range s.Covered {
			c.uint(n)
		}
		return c.close()
	})
	l.string(s.Client)
	return l.close()
}

func (s *sessionRow) UnmarshalJSON(text []byte) error {
	var state string
	var touched int64
	var covered []uint64
	if err := fields(text, &state, &s.Epoch, &s.Counter, &s.Resource, &touched, &s.Out, &s.Acked, &covered, &s.Client); err != nil {
		return err
	}
	n := strings.Index(letters, state)
	if len(state) != 1 || n < 0 {
		return fmt.Errorf("unknown session state %q", state)
	}
	if len(covered) > len(s.Covered) {
		return fmt.Errorf("%d classes are covered, there are %d", len(covered), len(s.Covered))
	}
	s.State, s.Touched = session.State(n), moment(touched)
	copy(s.Covered[:], covered)
	return nil
}

func appendEndpoint(b []byte, e session.Endpoint) []byte {
	l := newList(b)
	l.time(e.Enabled)
	l.time(e.Touched)
	l.string(e.Owner)
	l.string(e.Resource)
	l.string(e.Client)
	l.string(e.Secret)
	l.time(e.Woken)
	l.value(e.WokenAs == 0, func(b []byte) []byte { return appendString(b, e.WokenAs.String()) })
	l.string(e.Dead)
	return l.close()
}

func (e *endpointRow) UnmarshalJSON(text []byte) error {
	var enabled, touched, woken int64
	if err := fields(text, &enabled, &touched, &e.Owner, &e.Resource, &e.Client, &e.Secret, &woken, &e.WokenAs, &e.Dead); err != nil {
		return err
	}
	e.Enabled, e.Touched, e.Woken = moment(enabled), moment(touched), moment(woken)
	return nil
}

func appendEnding(b []byte, e session.Ending) []byte {
	l := newList(b)
	l.string(e.Session)
	l.uint(e.Epoch)
	l.uint(e.Counter)
	l.time(e.At)
	return l.close()
}

func (e *endingRow) UnmarshalJSON(text []byte) error {
	var at int64
	err := fields(text, &e.Session, &e.Epoch, &e.Counter, &at)
	e.At = moment(at)
	return err
}

func appendSighting(b []byte, s session.Sighting) []byte {
	l := newList(b)
	l.string(s.Key)
	l.time(s.At)
	for _, a := range s.Woken {
		l.value(false, func(b []byte) []byte { return appendString(b, a.Service+" "+a.Node) })
	}
	return l.close()
}

func (s *sightingRow) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	var at int64
	head := min(2, len(parts))
	for i, into := range []any{&s.Key, &at}[:head] {
		if err := json.Unmarshal(parts[i], into); err != nil {
			return err
		}
	}
	s.At = moment(at)
	for _, part := range parts[head:] {
		var a session.Address
		if err := json.Unmarshal(part, &a); err != nil {
			return err
		}
		s.Woken = append(s.Woken, a)
	}
	return nil
}
