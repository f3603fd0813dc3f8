package directory

import (
	"fmt"
	"slices"
	"time"
)

// Warnings are how many days before something runs out it is told.
func Warnings() []int { return []int{28, 14, 7, 3, 1} }

// Expiry is what Expiring looks at besides an entry.
type Expiry struct {
	Days   []int             // before the end, see Warnings; in no order
	MaxAge time.Duration     // of passwords, where the directory has it in no entry (ppolicy); 0: unknown
	Since  time.Time         // what had run out by then is not told: it is known for long
	Told   func(string) bool // whether an event with that key was
}

// far is when nobody means a date: "never" is written as one in 2037 or 9999.
const far = 9 * 365 * 24 * time.Hour

// Expiring gives what of an entry runs out, or ran out: the password, the account
// itself, certificates. Of several warnings that are due only the most urgent is
// given, so that nobody who was away gets five; and nothing twice. Users who cannot
// log in are not warned, nor is a password that was reset: it is to be changed at once.
// Until next there will be nothing else, unless the entry changes; zero: never.
func Expiring(e *Entry, x Expiry, now time.Time) (list []Event, next time.Time) {
	r := &expiring{e: e, x: x, now: now}
	switch e.Type {
	case User:
		if e.Disabled() {
			return nil, next
		}
		r.password()
		r.runsOut(e.Time("krbprincipalexpiration"), PrincipalExpiring, PrincipalExpired, "the account "+e.Name(), "your account "+e.Name(), nil)
	case Host, Service:
	default:
		return nil, next
	}
	for _, c := range Newest(e.Certificates()) {
		r.runsOut(c.NotAfter, CertExpiring, CertExpired, "a certificate of "+e.Name()+" ("+c.Subject+")", "your certificate "+c.Subject, c.fields(), c.Fingerprint)
	}
	return r.events, r.next
}

type expiring struct {
	e      *Entry
	x      Expiry
	now    time.Time
	events []Event
	next   time.Time
}

// later notes that something will be told at a time.
func (r *expiring) later(at time.Time) {
	if at.After(r.now) && (r.next.IsZero() || at.Before(r.next)) {
		r.next = at
	}
}

func (r *expiring) password() {
	end, changed := PasswordEnd(r.e, r.x.MaxAge)
	if !changed.IsZero() && !end.After(changed.Add(time.Minute)) || r.e.Has("pwdreset", "true") {
		return
	}
	r.runsOut(end, PasswordExpiring, PasswordExpired, "the password of "+r.e.Name(), "your password", nil)
}

// PasswordEnd says when a password runs out, and when it was last changed; zero: never,
// or unknown.
func PasswordEnd(e *Entry, maxAge time.Duration) (end, changed time.Time) {
	if end = e.Time("krbpasswordexpiration"); !end.IsZero() {
		return end, e.Time("krblastpwdchange")
	}
	if changed = e.Time("pwdchangedtime"); !changed.IsZero() && maxAge > 0 {
		return changed.Add(maxAge), changed
	}
	if day, most := e.Int("shadowlastchange"), e.Int("shadowmax"); day > 0 && most > 0 && most < 9999 {
		changed = time.Unix(int64(day)*24*3600, 0).UTC()
		return changed.AddDate(0, 0, most), changed
	}
	return time.Time{}, time.Time{}
}

// runsOut adds what is to be told of something that ends at a time.
func (r *expiring) runsOut(end time.Time, soon, over, what, yours string, fields map[string]string, unlike ...string) {
	if end.IsZero() {
		return
	}
	r.later(end)
	for _, d := range r.x.Days {
		r.later(end.AddDate(0, 0, -d))
	}
	if end.Sub(r.now) > far {
		return
	}
	value := end.Format(time.RFC3339)
	ev := Event{At: r.now, Of: r.e.ID, Name: r.e.Name(), Fields: map[string]string{"expires": value}}
	for k, v := range fields {
		ev.Fields[k] = v
	}
	if r.e.Type == User {
		ev.People = []string{r.e.ID}
	}
	unlike = append([]string{r.e.ID, value}, unlike...)
	if !r.now.Before(end) {
		if end.Before(r.x.Since) {
			return
		}
		ev.Kind, ev.Severity, ev.Key = over, Error, key(append(unlike, over)...)
		ev.Text, ev.You = what+" ran out on "+day(end), yours+" ran out on "+day(end)
	} else {
		d, due := r.due(end)
		if !due {
			return
		}
		ev.Kind, ev.Severity, ev.Key = soon, severity(d), key(append(unlike, soon, fmt.Sprint(d))...)
		left := Left(end.Sub(r.now))
		ev.Fields["days"], ev.Fields["left"] = fmt.Sprint(d), left
		ev.Text, ev.You = what+" runs out in "+left+", on "+day(end), yours+" runs out in "+left+", on "+day(end)
	}
	if !r.x.Told(ev.Key) {
		r.events = append(r.events, ev)
	}
}

// due gives the most urgent warning for which it is time.
func (r *expiring) due(end time.Time) (days int, due bool) {
	for _, d := range slices.Sorted(slices.Values(r.x.Days)) {
		if !r.now.Before(end.AddDate(0, 0, -d)) {
			return d, true
		}
	}
	return 0, false
}

func severity(days int) Severity {
	switch {
	case days <= 1:
		return Error
	case days <= 7:
		return Warning
	}
	return Info
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Left is how long that is, in words.
func Left(d time.Duration) string {
	one := func(n int, unit string) string {
		if n == 1 {
			return "1 " + unit
		}
		return fmt.Sprintf("%d %ss", n, unit)
	}
	switch {
	case d >= 48*time.Hour:
		return one(int(d/(24*time.Hour)), "day")
	case d >= 2*time.Hour:
		return one(int(d/time.Hour), "hour")
	case d >= time.Minute:
		return one(int(d/time.Minute), "minute")
	}
	return "less than a minute"
}
