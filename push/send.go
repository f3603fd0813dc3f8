package push

import (
	"context"
	"log/slog"
	"time"

	"rouse/session"
)

// send makes one try, settles it, and gives the slot back.
func (w *Workers) send(sending, settling context.Context, a *app, j session.Job) {
	defer func() {
		w.mu.Lock()
		a.release(j.Key.Service)
		w.mu.Unlock()
		select {
		case w.freed <- struct{}{}:
		default:
		}
	}()
	n := NotificationOf(j)
	start := w.cfg.Now()
	timeout := min(a.cfg.Timeout, n.Expires.Sub(start))
	ctx, cancel := context.WithTimeout(sending, timeout)
	r := a.cfg.Provider.Send(ctx, n)
	cancel()
	now := w.cfg.Now()
	if sending.Err() != nil && r.Outcome == Unavailable {
		w.lose() // cut off: nobody knows whether the provider took it
		return
	}
	took := now.Sub(start)
	w.cfg.Observe(a.name, a.cfg.Kind, r.Outcome, took)
	why := a.cfg.Kind + ": " + r.Reason

	w.mu.Lock()
	wasOpen := a.breaker.Open
	a.leave(now, took, r, why)
	s := a.settlement(now, j, r, n.Expires, w.cfg.Rand())
	line := a.line(now, j.Key.Node, r, wasOpen)
	if a.cfg.PerService && a.heard(now, j.Key.Service, r) {
		line.level, line.text = slog.LevelWarn, "nobody answers for a push service: it is asked with one wake now and then; registrations are kept"
	}
	w.mu.Unlock()

	s.Why = why
	line.write(w.cfg.Logger, a, j, r)
	w.settle(settling, j, s)
}

// NotificationOf is what a provider is asked to send for a wake.
func NotificationOf(j session.Job) Notification {
	return Notification{
		ID:       j.ID,
		Class:    j.Key.Class,
		Count:    max(j.Wake.Sent, j.Wake.Count, 1),
		Owner:    j.Owner,
		Address:  j.Key.Address,
		Target:   j.Target,
		Expires:  Expiry(j.Key.Class, j.Wake.Since),
		Collapse: Collapse(j.Key.Class, j.Key.Node),
		Priority: j.Priority,
		Content:  contentOf(j),
	}
}

// settlement turns the result of a try into the fate of the wake.
func (a *app) settlement(now time.Time, j session.Job, r Result, expires time.Time, rnd float64) session.Settlement {
	s := session.Settlement{At: now, Latency: now.Sub(j.Wake.Since)}
	switch {
	case r.Outcome == Delivered:
		s.Verdict, s.Once = session.Sent, a.cfg.Once
		return s
	case r.Outcome == TokenGone && !a.doubts(r):
		s.Verdict, s.Since = session.Died, r.Since
		return s
	case r.Outcome == BadRequest || r.Outcome >= NumOutcomes:
		s.Verdict = session.GaveUp
		return s
	case r.Outcome.Stops():
		// Nothing was sent: the try is free. It comes back for the probe.
		s.Free, s.Due = true, a.breaker.Probe
	default:
		s.Due = now.Add(Next(j.Key.Class, j.Wake.Attempt+1, r.Outcome, r.RetryAfter, rnd))
	}
	s.Verdict = session.Again
	if !s.Due.Before(expires) {
		s.Verdict, s.Due, s.Free = session.GaveUp, time.Time{}, false
	}
	return s
}

// doubts reports whether the end of a token may be our own mistake: before the
// first delivery nothing says that topic, environment and project are right,
// and a wrong one makes every token of the app look dead.
func (a *app) doubts(r Result) bool {
	return r.Outcome == TokenGone && r.Doubtful && !a.proved
}

// line is what the log gets to know of a failed try.
type line struct {
	level  slog.Level
	text   string
	remedy string
	held   int
}

// faultsEvery spaces the lines about passing faults of one app.
const faultsEvery = 10 * time.Second

// maxUnfit bounds the devices that the log is known to have heard of.
const maxUnfit = 1000

func (a *app) line(now time.Time, node string, r Result, wasOpen bool) line {
	switch {
	case r.Outcome == Delivered:
		if wasOpen {
			return line{level: slog.LevelInfo, text: "the app works again"}
		}
		return line{}
	case r.Outcome.Stops():
		if wasOpen {
			return line{level: slog.LevelDebug, text: "the app is still stopped", remedy: r.Remedy}
		}
		return line{level: slog.LevelError, text: "the app is stopped: the provider refuses it; registrations and wakes are kept", remedy: r.Remedy}
	case a.doubts(r):
		return a.spaced(now, line{level: slog.LevelError, remedy: r.Remedy,
			text: "the provider refuses a token, and has not accepted any yet: it is kept, since the app's configuration may be wrong"})
	case r.Outcome == TokenGone:
		return line{level: slog.LevelInfo, text: "the device is gone"}
	case r.Outcome == BadRequest && r.Unfit:
		l := line{level: slog.LevelWarn, text: "a device cannot be woken as it registered: its wakes are given up; this is said once", remedy: r.Remedy}
		if a.unfit[node] {
			l.level = slog.LevelDebug
		}
		if len(a.unfit) >= maxUnfit {
			clear(a.unfit)
		}
		a.unfit[node] = true
		return l
	case r.Outcome == BadRequest:
		return a.spaced(now, line{level: slog.LevelError, text: "the provider does not understand us: the wake is given up", remedy: r.Remedy})
	default:
		return a.spaced(now, line{level: slog.LevelWarn, text: "the wake is tried again later", remedy: r.Remedy})
	}
}

// spaced keeps a provider that is down from filling the log.
func (a *app) spaced(now time.Time, l line) line {
	if !a.spoke.IsZero() && now.Sub(a.spoke) < faultsEvery {
		a.held++
		l.level = slog.LevelDebug
		return l
	}
	l.held, a.held, a.spoke = a.held, 0, now
	return l
}

func (l line) write(log *slog.Logger, a *app, j session.Job, r Result) {
	if l.text == "" {
		return
	}
	attrs := []slog.Attr{
		slog.String("app", a.name),
		slog.String("provider", a.cfg.Kind),
		slog.String("node", short(j.Key.Node)),
		slog.String("outcome", r.Outcome.String()),
		slog.String("reason", r.Reason),
	}
	if a.cfg.PerService {
		attrs = append(attrs, slog.String("service", j.Key.Service))
	}
	if err := Scrub(r.Err, j.Target.Token); err != nil {
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	if l.remedy != "" {
		attrs = append(attrs, slog.String("remedy", l.remedy))
	}
	if l.held > 0 {
		attrs = append(attrs, slog.Int("not_shown", l.held))
	}
	log.LogAttrs(context.Background(), l.level, l.text, attrs...)
}
