package redis

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"rouse/session"
)

// list writes a JSON array that leaves out what is zero at its end.
type list struct {
	b   []byte
	end int // behind the last value that is not zero
}

func newList(b []byte) list {
	b = append(b, '[')
	return list{b, len(b)}
}

// next starts a value.
func (l *list) next() {
	l.b = separate(l.b, '[')
}

func (l *list) took(zero bool) {
	if !zero {
		l.end = len(l.b)
	}
}

func (l *list) string(s string) {
	l.next()
	l.b = appendString(l.b, s)
	l.took(s == "")
}

func (l *list) uint(n uint64) {
	l.next()
	l.b = strconv.AppendUint(l.b, n, 10)
	l.took(n == 0)
}

// mark writes the batch and its node, and its epoch as what is to be added to another one:
// mostly nothing.
func (l *list) mark(m session.Mark, epoch uint64) {
	l.value(m == session.Mark{Epoch: epoch}, func(b []byte) []byte {
		parts := newList(b)
		parts.uint(m.Seq)
		parts.uint(m.Epoch - epoch)
		parts.string(m.Node)
		return parts.close()
	})
}

// markRow has as Epoch what is to be added to another one.
type markRow session.Mark

func (m *markRow) UnmarshalJSON(text []byte) error {
	return fields(text, &m.Seq, &m.Epoch, &m.Node)
}

func markOf(told markRow, epoch uint64) session.Mark {
	told.Epoch += epoch
	return session.Mark(told)
}

func (l *list) time(t time.Time) {
	l.next()
	n := nanos(t)
	l.b = strconv.AppendInt(l.b, n, 10)
	l.took(n == 0)
}

// value adds something else; 0 stands for whatever is zero.
func (l *list) value(zero bool, put func([]byte) []byte) {
	l.next()
	if zero {
		l.b = append(l.b, '0')
	} else {
		l.b = put(l.b)
	}
	l.took(zero)
}

func (l *list) times(ts []time.Time) {
	l.value(len(ts) == 0, func(b []byte) []byte {
		c := newList(b)
		for _, t := range ts {
			c.time(t)
		}
		return c.close()
	})
}

func (l *list) close() []byte { return append(l.b[:l.end], ']') }

// appendString writes a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string can always be encoded
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// fields reads a JSON array into the things that into points to, by position.
// What is missing at its end, or 0, stays zero.
func fields(text []byte, into ...any) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) > len(into) {
		return fmt.Errorf("a row of %d values, at most %d are known", len(parts), len(into))
	}
	for i, part := range parts {
		if string(part) == "0" {
			continue // whatever it is
		}
		if err := json.Unmarshal(part, into[i]); err != nil {
			return fmt.Errorf("value %d of a row: %w", i+1, err)
		}
	}
	return nil
}

// nanos is a time as it is stored: nanoseconds since 1970, 0 for no time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// moment is the reverse of nanos.
func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// moments reads what times wrote.
func moments(ns []int64) []time.Time {
	var ts []time.Time
	for _, n := range ns {
		ts = append(ts, moment(n))
	}
	return ts
}

// stampSize is how many digits a time has where scripts compare times as text: a
// number of Lua is a double and does not hold nanoseconds.
const stampSize = 19

// stamp is a time as scripts compare it.
func stamp(t time.Time) (string, error) {
	n := nanos(t)
	if n < 0 {
		return "", fmt.Errorf("store: the time %v is before 1970", t)
	}
	digits := strconv.FormatInt(n, 10)
	return "0000000000000000000"[len(digits):] + digits, nil
}

func parseStamp(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || len(s) != stampSize {
		return time.Time{}, fmt.Errorf("%q is not a time of %d digits", s, stampSize)
	}
	return moment(n), nil
}
