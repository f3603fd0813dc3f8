package redis

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rouse/session"
)

// letters are the session states as they stand in headers and sums.
const letters = "aidh"

// A new state of a session needs a letter.
var _ = [1]struct{}{}[int(session.NumStates)-len(letters)]

// endpointsLetter counts endpoints in headers and sums.
const endpointsLetter = 'e'

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
	return string(b)
}

// versionText is a version as it is stored: base64 (RFC 4648 §5), "0" for none. All
// have one length, so that a claim can write its own over the old one.
func versionText(v uint64) string {
	if v == 0 {
		return "0"
	}
	var raw [8]byte
	binary.BigEndian.PutUint64(raw[:], v)
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func parseVersion(text string) (uint64, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != 8 {
		return 0, fmt.Errorf("%q is not a version", text)
	}
	return binary.BigEndian.Uint64(raw), nil
}

// owner is what lies under an owner's key: its version, its counts, its account.
type owner struct {
	version uint64
	counts  string
	account session.Account // without Pending
}

// appendOwner writes version, space, counts and the account, an array.
func appendOwner(b []byte, version uint64, counts string, a session.Account) []byte {
	b = append(b, versionText(version)...)
	b = append(b, ' ')
	return appendAccount(append(b, counts...), a)
}

func parseOwner(text string) (owner, error) {
	version, rest, _ := strings.Cut(text, " ")
	counts, _, found := strings.Cut(rest, "[")
	v, err := parseVersion(version)
	if err != nil {
		return owner{}, err
	}
	if !found || v == 0 {
		return owner{}, errors.New("it does not begin with a version and counts")
	}
	a, err := parseAccount([]byte(rest[len(counts):]))
	return owner{v, counts, a}, err
}

// appendAccount writes sessions by id, serial, epoch and counter, endpoints by
// address, sessions that ended, keys of stanzas, how far nodes have come, what
// registered, and what wakes stand for.
func appendAccount(b []byte, a session.Account) []byte {
	l := newList(b)
	l.value(len(a.Sessions) == 0, func(b []byte) []byte {
		b = append(b, '{')
		for id, s := range a.Sessions {
			b = appendSession(append(appendString(separate(b, '{'), id), ':'), s)
		}
		return append(b, '}')
	})
	l.uint(a.Serial)
	l.uint(a.Epoch)
	l.uint(a.Counter)
	l.value(len(a.Endpoints) == 0, func(b []byte) []byte {
		b = append(b, '{')
		for address, e := range a.Endpoints {
			b = appendEndpoint(append(appendString(separate(b, '{'), address.Service+" "+address.Node), ':'), e)
		}
		return append(b, '}')
	})
	l.value(len(a.Ended) == 0, func(b []byte) []byte {
		b = append(b, '[')
		for _, e := range a.Ended {
			b = appendEnding(separate(b, '['), e)
		}
		return append(b, ']')
	})
	l.value(len(a.Seen) == 0, func(b []byte) []byte {
		b = append(b, '[')
		for _, s := range a.Seen {
			b = appendSighting(separate(b, '['), s)
		}
		return append(b, ']')
	})
	l.value(len(a.Progress) == 0, func(b []byte) []byte {
		b = append(b, '[')
		for _, p := range a.Progress {
			b = appendProgress(separate(b, '['), p)
		}
		return append(b, ']')
	})
	l.value(len(a.Devices) == 0, func(b []byte) []byte {
		b = append(b, '[')
		for _, d := range a.Devices {
			b = appendDevice(separate(b, '['), d)
		}
		return append(b, ']')
	})
	l.value(len(a.Waits) == 0, func(b []byte) []byte {
		b = append(b, '[')
		for _, w := range a.Waits {
			b = appendWait(separate(b, '['), w)
		}
		return append(b, ']')
	})
	l.value(a.Filter == nil, func(b []byte) []byte { return appendFilter(b, a.Filter) })
	return l.close()
}

// separate writes a comma unless the last thing was the bracket that opens.
func separate(b []byte, bracket byte) []byte {
	if b[len(b)-1] == bracket {
		return b
	}
	return append(b, ',')
}

func parseAccount(text []byte) (session.Account, error) {
	a := session.Account{}.Clone() // with no map nil
	var sessions map[string]sessionRow
	var endpoints map[session.Address]endpointRow
	var ended []endingRow
	var seen []sightingRow
	var progress []progressRow
	var devices []deviceRow
	var waits []waitRow
	if err := fields(text, &sessions, &a.Serial, &a.Epoch, &a.Counter, &endpoints, &ended, &seen, &progress, &devices, &waits, &a.Filter); err != nil {
		return a, err
	}
	for id, s := range sessions {
		a.Sessions[id] = session.Session(s)
	}
	for address, e := range endpoints {
		a.Endpoints[address] = session.Endpoint(e)
	}
	for _, e := range ended {
		a.Ended = append(a.Ended, session.Ending(e))
	}
	for _, s := range seen {
		a.Seen = append(a.Seen, session.Sighting(s))
	}
	for _, p := range progress {
		a.Progress = append(a.Progress, session.Progress(p))
	}
	for _, d := range devices {
		a.Devices = append(a.Devices, session.Device(d))
	}
	for _, w := range waits {
		a.Waits = append(a.Waits, session.Wait(w))
	}
	return a, nil
}

type (
	sessionRow  session.Session
	endpointRow session.Endpoint
	endingRow   session.Ending
	sightingRow session.Sighting
	progressRow session.Progress
	deviceRow   session.Device
	waitRow     session.Wait
)

func appendProgress(b []byte, p session.Progress) []byte {
	l := newList(b)
	l.string(p.Node)
	l.uint(p.Epoch)
	l.uint(p.Counter)
	return l.close()
}

func (p *progressRow) UnmarshalJSON(text []byte) error {
	return fields(text, &p.Node, &p.Epoch, &p.Counter)
}

func appendDevice(b []byte, d session.Device) []byte {
	l := newList(b)
	l.string(d.Node)
	l.time(d.Since)
	l.time(d.At)
	return l.close()
}

func (d *deviceRow) UnmarshalJSON(text []byte) error {
	var since, at int64
	err := fields(text, &d.Node, &since, &at)
	d.Since, d.At = moment(since), moment(at)
	return err
}

func appendWait(b []byte, w session.Wait) []byte {
	l := newList(b)
	l.string(w.Endpoint.Service + " " + w.Endpoint.Node)
	l.string(w.Chat)
	l.value(w.Class == 0, func(b []byte) []byte { return appendString(b, w.Class.String()) })
	l.uint(uint64(max(0, w.Count)))
	l.string(w.Stanza)
	l.string(w.Tag)
	l.uint(w.Wake)
	l.time(w.At)
	l.time(w.Lease)
	l.value(!w.Read, func(b []byte) []byte { return append(b, '1') })
	return l.close()
}

func (w *waitRow) UnmarshalJSON(text []byte) error {
	var at, lease int64
	var read int
	err := fields(text, &w.Endpoint, &w.Chat, &w.Class, &w.Count, &w.Stanza, &w.Tag, &w.Wake, &at, &lease, &read)
	w.Read = read != 0
	w.At, w.Lease = moment(at), moment(lease)
	return err
}

// appendSession writes the state as its place in letters, of acknowledged stanzas
// how many are missing, and of the batch how much newer its epoch is.
func appendSession(b []byte, s session.Session) []byte {
	l := newList(b)
	l.uint(uint64(s.State))
	l.uint(s.Epoch)
	l.uint(s.Counter)
	l.string(s.Resource)
	l.mark(s.Told, s.Epoch)
	l.uint(s.Out)
	l.uint(s.Out - s.Acked)
	l.value(s.Covered == session.Coverage{}, func(b []byte) []byte {
		c := newList(b)
		for _, n := range s.Covered.Written() {
			c.uint(n)
		}
		return c.close()
	})
	l.string(s.Client)
	return l.close()
}

func (s *sessionRow) UnmarshalJSON(text []byte) error {
	var told markRow
	var unacked uint64
	var covered []uint64
	if err := fields(text, (*uint8)(&s.State), &s.Epoch, &s.Counter, &s.Resource, &told, &s.Out, &unacked, &covered, &s.Client); err != nil {
		return err
	}
	if s.State >= session.NumStates {
		return fmt.Errorf("unknown session state %d", s.State)
	}
	var err error
	s.Covered, err = session.CoverageOf(covered)
	s.Acked, s.Told = s.Out-unacked, markOf(told, s.Epoch)
	return err
}

func appendEndpoint(b []byte, e session.Endpoint) []byte {
	l := newList(b)
	l.time(e.Enabled)
	l.mark(e.Told, 0)
	l.string(e.Owner)
	l.string(e.Resource)
	l.string(e.Client)
	l.string(e.Secret)
	l.time(e.Woken)
	l.value(e.WokenAs == 0, func(b []byte) []byte { return appendString(b, e.WokenAs.String()) })
	l.string(e.Dead)
	l.times(e.Calls)
	l.times(e.Silents)
	l.value(e.Behind == 0, func(b []byte) []byte { return appendString(b, e.Behind.String()) })
	l.time(e.Before)
	l.uint(e.Held.Wake)
	l.time(e.Held.Else)
	l.value(e.Expected == session.Expected{}, func(b []byte) []byte { return appendExpected(b, e.Expected) })
	l.value(e.Filter == nil, func(b []byte) []byte { return appendFilter(b, e.Filter) })
	return l.close()
}

func (e *endpointRow) UnmarshalJSON(text []byte) error {
	var enabled, woken, before, without int64
	var told markRow
	var calls, silents []int64
	if err := fields(text, &enabled, &told, &e.Owner, &e.Resource, &e.Client, &e.Secret, &woken, &e.WokenAs, &e.Dead, &calls, &silents, &e.Behind, &before, &e.Held.Wake, &without, (*expectedRow)(&e.Expected), &e.Filter); err != nil {
		return err
	}
	e.Calls, e.Silents = moments(calls), moments(silents)
	e.Enabled, e.Told, e.Woken = moment(enabled), markOf(told, 0), moment(woken)
	e.Before, e.Held.Else = moment(before), moment(without)
	return nil
}

// appendFilter writes it as JSON has it: few accounts have one.
func appendFilter(b []byte, f *session.Filter) []byte {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // of a number that is no Allow, which no parser gives
	}
	return append(b, text...)
}

type expectedRow session.Expected

func appendExpected(b []byte, x session.Expected) []byte {
	l := newList(b)
	l.time(x.Since)
	l.time(x.At)
	l.value(x.Class == 0, func(b []byte) []byte { return appendString(b, x.Class.String()) })
	l.uint(uint64(max(0, x.Count)))
	l.uint(uint64(max(0, x.Again)))
	l.uint(x.Wake)
	l.value(!x.Missing, func(b []byte) []byte { return append(b, '1') })
	return l.close()
}

func (x *expectedRow) UnmarshalJSON(text []byte) error {
	var since, at int64
	var missing int
	err := fields(text, &since, &at, &x.Class, &x.Count, &x.Again, &x.Wake, &missing)
	x.Since, x.At, x.Missing = moment(since), moment(at), missing != 0
	return err
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
