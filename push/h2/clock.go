package h2

import (
	"net/http"
	"time"
)

// clock is how far ours is ahead of the other side's, by the Date of its last
// answer (RFC 9110 §6.6.1). That is in whole seconds, and some say nothing.
type clock struct {
	ahead time.Duration
	told  bool
}

// read takes the time of an answer that was on its way between asked and now.
func (c clock) read(header http.Header, asked, now time.Time) clock {
	theirs, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return c
	}
	return clock{ahead: asked.Add(now.Sub(asked) / 2).Sub(theirs.Add(time.Second / 2)), told: true}
}

// Date takes in the time that the header of an answer tells, also of one that came
// another way. It was asked for then.
func (t *Transport) Date(header http.Header, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock = t.clock.read(header, asked, time.Now())
}

// Clock says how far our clock is ahead of the other side's, to a second or so;
// false: it has not told the time.
func (t *Transport) Clock() (ahead time.Duration, told bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock.ahead, t.clock.told
}
