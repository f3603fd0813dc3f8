package main

import (
	"fmt"
	"time"

	"rouse/push"
)

// certificateNotice is how long before its end a certificate is spoken of.
const certificateNotice = 30 * 24 * time.Hour

// What some providers can tell besides.
type (
	// ending has a certificate that ends; zero: it has none.
	ending interface{ Expires() time.Time }

	// timed was told the time by its provider.
	timed interface {
		Clock() (ahead time.Duration, told bool)
	}
)

// watchCertificates has metrics tell until when the apps' certificates are good,
// and the log which are to be seen to.
func (a *app) watchCertificates(apps map[string]push.App) {
	ends := make(map[string]time.Time)
	for name, app := range apps {
		if e, ok := app.Provider.(ending); ok && !e.Expires().IsZero() {
			ends[name] = e.Expires()
			if text, fix := expiring(e.Expires(), time.Now()); fix != "" {
				a.log.Warn(text, "app", name, "remedy", fix)
			}
		}
	}
	a.metrics.Certificates(ends)
}

// expiring says until when a certificate is good, and what is to be done where
// that is soon.
func expiring(end, now time.Time) (text, fix string) {
	left := end.Sub(now)
	switch text = "the certificate ends on " + end.UTC().Format(time.DateOnly); {
	case left <= 0:
		return text + ": it is of no use any more", "get a new certificate_file from Apple"
	case left < certificateNotice:
		return fmt.Sprintf("%s, in %d days", text, int(left/(24*time.Hour))), "get a new certificate_file from Apple, or a key (.p8), which does not end"
	}
	return text, ""
}

// The clock has to be right where a signature says when it was made: Apple takes
// such of an hour, Google of five minutes.
const (
	clockNotice = 30 * time.Second
	clockFault  = 5 * time.Minute
)

// clockFinding says what is wrong with our clock; false: nothing, as far as a
// provider told the time.
func clockFinding(app string, provider push.Provider) (finding, bool) {
	t, ok := provider.(timed)
	if !ok {
		return finding{}, false
	}
	ahead, told := t.Clock()
	if !told || ahead.Abs() < clockNotice {
		return finding{}, false
	}
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	f := finding{Place: "clock", OK: ahead.Abs() < clockFault, Warn: true,
		Text: fmt.Sprintf("this machine's clock is %v %s that of the provider of %s", ahead.Abs().Round(time.Second), word, app),
		Why:  "what rouse signs for a provider holds for some minutes only, and a wake that is too old by the clock is not sent",
		Fix:  "set the clock, and have it kept right: timedatectl set-ntp true"}
	return f, true
}
