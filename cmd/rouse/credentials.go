package main

import (
	"context"
	"fmt"
	"log/slog"
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

// ends says until when the apps' certificates are good, of those that have one.
func ends(apps map[string]push.App) map[string]time.Time {
	ends := make(map[string]time.Time)
	for name, app := range apps {
		if e, ok := app.Provider.(ending); ok && !e.Expires().IsZero() {
			ends[name] = e.Expires()
		}
	}
	return ends
}

// remind has the log say which certificates are to be seen to.
func remind(log *slog.Logger, ends map[string]time.Time, now time.Time) {
	for name, end := range ends {
		if text, fix := expiring(end, now); fix != "" {
			log.Warn(text, "app", name, "remedy", fix)
		}
	}
}

// remindDaily is remind once a day: a process may run for longer than a certificate.
func remindDaily(ctx context.Context, log *slog.Logger, ends map[string]time.Time) error {
	if len(ends) == 0 {
		return nil
	}
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	for {
		select {
		case <-day.C:
			remind(log, ends, time.Now())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
