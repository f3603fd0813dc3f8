package directory

import (
	"strconv"
	"time"
)

// Lockout is when failed logins lock an account (krbPwdPolicy of FreeIPA).
type Lockout struct {
	Max      int           // so many lock it; 0: none do
	Duration time.Duration // for so long; 0: until somebody unlocks it
}

// DefaultLockout is what FreeIPA begins with.
var DefaultLockout = Lockout{Max: 6, Duration: 600 * time.Second}

// LockoutOf reads a policy.
func LockoutOf(policy *Entry) Lockout {
	return Lockout{Max: policy.Int("krbpwdmaxfailure"), Duration: time.Duration(policy.Int("krbpwdlockoutduration")) * time.Second}
}

// Locked reports whether failed logins have locked an account, and until when; zero
// until somebody unlocks it. In FreeIPA nothing says so: it follows from the counts,
// which each server has for itself.
func (e *Entry) Locked(l Lockout, now time.Time) (until time.Time, locked bool) {
	if at := e.Get("pwdaccountlockedtime"); at != "" {
		return time.Time{}, at != forever
	}
	n, last := e.Int("krbloginfailedcount"), e.Time("krblastfailedauth")
	if l.Max <= 0 || n < l.Max || last.IsZero() {
		return time.Time{}, false
	}
	if l.Duration <= 0 {
		return time.Time{}, true
	}
	until = last.Add(l.Duration)
	return until, now.Before(until)
}

// Locks gives what failed logins did to a user between two states of the counts that one
// server keeps of them.
func Locks(v View, o Options, old, now *Entry, at time.Time) []Event {
	d := &diff{view: v, options: o, old: old, now: now, at: at}
	d.locked()
	return d.events
}

// Ended gives that a lock of a user has ended by itself between two times.
func Ended(v View, o Options, e *Entry, before, at time.Time) []Event {
	l := v.Lockout(e)
	_, was := e.Locked(l, before)
	_, is := e.Locked(l, at)
	if !was || is {
		return nil
	}
	d := &diff{view: v, options: o, old: e, now: e, at: at}
	d.unlocked("")
	return d.events
}

// unlocked adds that somebody is not locked any more, after what was last the matter.
func (d *diff) unlocked(last string) {
	name, on := d.now.Name(), d.on()
	d.say(UserUnlocked, Info, "user "+name+" is unlocked"+on, "your account "+name+" is unlocked"+on, map[string]string{"server": d.options.Server},
		d.options.Server, last, d.old.Get("krblastfailedauth")+d.old.Get("pwdaccountlockedtime"))
}

// on names the server that keeps the count; OpenLDAP's locks are everywhere.
func (d *diff) on() string {
	if d.options.Server == "" || d.now.Get("pwdaccountlockedtime") != "" || d.old != nil && d.old.Get("pwdaccountlockedtime") != "" {
		return ""
	}
	return " on " + d.options.Server
}

func (d *diff) locked() {
	l := d.view.Lockout(d.now)
	_, was := d.old.Locked(l, d.at)
	until, is := d.now.Locked(l, d.at)
	name, on := d.now.Name(), d.on()
	last := d.now.Get("krblastfailedauth") + d.now.Get("pwdaccountlockedtime")
	switch {
	case is && !was:
		f := map[string]string{"server": d.options.Server, "failures": d.now.Get("krbloginfailedcount")}
		text := "too many failed logins"
		if !until.IsZero() {
			f["until"] = until.Format(time.RFC3339)
			text += ", until " + until.Format("15:04 UTC")
		}
		d.say(UserLocked, Warning, "user "+name+" is locked"+on+": "+text, "your account "+name+" is locked"+on+": "+text, f, d.options.Server, last)
	case was && !is:
		d.unlocked(last)
	case d.options.Failures > 0 && !is && d.at.Sub(d.now.Time("krblastfailedauth")) < max(l.Duration, 10*time.Minute):
		before, after := d.old.Int("krbloginfailedcount"), d.now.Int("krbloginfailedcount")
		if before < d.options.Failures && after >= d.options.Failures {
			text := strconv.Itoa(after) + " failed logins"
			d.say(LoginFailures, Info, text+" of user "+name+on, text+" with your account "+name+on, map[string]string{"server": d.options.Server, "failures": strconv.Itoa(after)}, d.options.Server, last)
		}
	}
}
