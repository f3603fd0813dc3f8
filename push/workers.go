package push

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"rouse/session"
)

// Outbox is where due wakes come from and where their fate goes.
type Outbox interface {
	// Claim gives up to max wakes that are due, most urgent first. Nobody else
	// gets them until their lease ends, which must be longer than App.Timeout. Those
	// with a Fate are settled so, and not sent.
	Claim(ctx context.Context, max int) ([]session.Job, error)

	// Wait returns when something may be due, or with the error of ctx.
	Wait(ctx context.Context) error

	// Settle stores what became of a claimed wake.
	Settle(ctx context.Context, j session.Job, s session.Settlement) error
}

// App is one app and how it is sent for.
type App struct {
	Kind        string // apns, fcm or relay: for metrics and the record
	Provider    Provider
	Concurrency int           // sends under way at once; 0: DefaultConcurrency. Calls may use a quarter more
	Timeout     time.Duration // for one try; 0: DefaultTimeout
	Rate        int           // wakes in a second; 0: no limit. Calls do not count
	PerService  bool          // relay: each push service may take an eighth of Concurrency, and little once nobody answers for it
	Once        bool          // its devices do not connect when they are woken
	Here        func() bool   // whether this process can send for the app; another one does, where not. nil: it can
}

// What WorkersConfig and App mean by zero.
const (
	DefaultConcurrency = 128
	DefaultTimeout     = 30 * time.Second
	DefaultDrain       = 10 * time.Second
)

// WorkersConfig is what workers work with. Zero values of the optional fields
// mean the default that is named.
type WorkersConfig struct {
	Outbox  Outbox
	Apps    map[string]App // by name; "" sends for third-party services
	Drain   time.Duration  // that sends under way get when Run ends; DefaultDrain
	Now     func() time.Time
	Rand    func() float64 // in [0,1); math/rand
	Logger  *slog.Logger   // slog.Default
	Observe func(app, kind string, o Outcome, took time.Duration)
}

// Workers carry due wakes to their providers.
//
// One loop claims, each send is a goroutine of its own, and each app has a bound
// on them: an app that stalls keeps its own wakes waiting and nobody else's.
type Workers struct {
	cfg    WorkersConfig
	apps   map[string]*app
	clerks chan struct{} // bounds the settlements of wakes that were not sent
	freed  chan struct{} // a send ended
	tasks  sync.WaitGroup

	mu      sync.Mutex // guards what follows and the state in apps
	unknown map[string]time.Time
	kept    []fate // settlements that could not be stored yet
	lost    int    // wakes whose fate could not be stored
}

// The pace of the claim loop.
const (
	gather      = 20 * time.Millisecond  // waits so long for room, so that claims are not of one wake each
	gatherMost  = 160 * time.Millisecond // while what is claimed meanwhile is turned away again
	trickle     = 64                     // claimed while one app is full, for the sake of the others
	clerks      = 64
	claimTime   = 15 * time.Second
	settleGrace = 3 * time.Second // to store what was cut off at the end of Drain, and what could not be stored before
	unknownApp  = 10 * time.Minute
)

// NewWorkers makes workers; Run starts them.
func NewWorkers(cfg WorkersConfig) *Workers {
	if cfg.Drain <= 0 {
		cfg.Drain = DefaultDrain
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string, Outcome, time.Duration) {}
	}
	w := &Workers{
		cfg:     cfg,
		apps:    make(map[string]*app, len(cfg.Apps)),
		clerks:  make(chan struct{}, clerks),
		freed:   make(chan struct{}, 1),
		unknown: make(map[string]time.Time),
	}
	for name, a := range cfg.Apps {
		w.apps[name] = newApp(name, a)
	}
	return w
}

// Stopped gives the apps that are stopped now, each with the provider's reason.
func (w *Workers) Stopped() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	stopped := make(map[string]string)
	for name, a := range w.apps {
		if a.breaker.Open {
			stopped[name] = a.breaker.Why
		}
	}
	return stopped
}

// Run claims and sends until ctx ends. Then it lets sends under way finish
// within Drain and cuts off the rest. The error says how many wakes have no
// settlement: those come back by themselves when their lease ends.
func (w *Workers) Run(ctx context.Context) error {
	base := context.WithoutCancel(ctx)
	sending, cut := context.WithCancel(base)
	defer cut()
	settling, end := context.WithCancel(base)
	defer end()

	var chasing sync.WaitGroup
	chasing.Go(func() { w.chase(ctx) })
	w.claim(ctx, sending, settling)
	chasing.Wait()

	done := make(chan struct{})
	go func() { w.tasks.Wait(); close(done) }()
	for _, stage := range []struct {
		limit time.Duration
		over  func()
	}{{w.cfg.Drain, cut}, {settleGrace, end}} {
		timer := time.NewTimer(stage.limit)
		select {
		case <-done:
		case <-timer.C:
			stage.over()
		}
		timer.Stop()
	}
	<-done
	last, over := context.WithTimeout(base, settleGrace)
	defer over()
	w.storeKept(last)
	w.mu.Lock()
	defer w.mu.Unlock()
	if lost := w.lost + len(w.kept); lost > 0 {
		return fmt.Errorf("push: %d wakes were cut off or not settled; they are sent again when their lease ends", lost)
	}
	return nil
}

// claim is the loop. A claim under way is never abandoned: its wakes would be
// nobody's until their lease ends.
func (w *Workers) claim(ctx, sending, settling context.Context) {
	idle := 0 // rounds in a row that found nothing or failed
	patience := gather
	for ctx.Err() == nil {
		limit, forced := w.gather(ctx, patience)
		if ctx.Err() != nil {
			return
		}
		claiming, cancel := context.WithTimeout(settling, claimTime)
		jobs, err := w.cfg.Outbox.Claim(claiming, limit)
		cancel()
		if err != nil {
			idle++
			w.cfg.Logger.Error("cannot claim due wakes, trying again", "err", err)
			pause(ctx, min(time.Second<<min(idle, 5), 15*time.Second))
			continue
		}
		turned := 0
		for _, j := range jobs {
			if ctx.Err() != nil {
				w.aside(settling, j, session.Settlement{Verdict: session.Again, Free: true, Due: w.cfg.Now(), Why: "rouse is stopping"})
				continue
			}
			if !w.dispatch(sending, settling, j) {
				turned++
			}
		}
		switch {
		case len(jobs) == 0, forced && turned <= len(jobs)/2:
			patience = gather
		case forced:
			patience = min(2*patience, gatherMost)
		}
		if len(jobs) > 0 {
			idle = 0
			continue
		}
		if idle++; idle > 2 {
			pause(ctx, gather) // an outbox that says "due" and gives nothing must not make us spin
		}
		if err := w.cfg.Outbox.Wait(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Error("cannot wait for due wakes, trying again", "err", err)
			pause(ctx, time.Second)
		}
	}
}

// gather waits for some room, but never long: a full app must not hold up the
// others. It gives how many wakes to claim, and whether there is room for them
// only in other apps, if at all.
func (w *Workers) gather(ctx context.Context, patience time.Duration) (limit int, forced bool) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		room, wanted := w.room()
		if room >= wanted {
			return room, false
		}
		select {
		case <-w.freed:
		case <-timer.C:
			return max(room, trickle), true
		case <-ctx.Done():
			return trickle, true
		}
	}
}

// room is what the fullest app can take of those that were sending lately, and
// what is worth a claim. Idle apps do not count: what they cannot take comes
// back soon.
func (w *Workers) room() (room, wanted int) {
	now := w.cfg.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	room, wanted = DefaultConcurrency, 1
	for _, a := range w.apps {
		if a.inflight == 0 && now.Sub(a.moved) > time.Second {
			continue
		}
		if free := max(a.cfg.Concurrency-a.inflight, 0); free <= room {
			room, wanted = free, max(a.cfg.Concurrency/4, 1)
		}
	}
	return room, min(wanted, DefaultConcurrency)
}

// dispatch starts the send of a claimed wake, or settles it without one. It
// reports whether the claim was of use.
func (w *Workers) dispatch(sending, settling context.Context, j session.Job) bool {
	now := w.cfg.Now()
	if j.Fate != nil {
		w.aside(settling, j, *j.Fate)
		return j.Fate.Verdict != session.Again
	}
	if !now.Before(Expiry(j.Key.Class, j.Wake.Since)) {
		w.aside(settling, j, session.Settlement{Verdict: session.GaveUp, Why: "of no use any more: it was not sent in time"})
		return true
	}
	if lease := j.Wake.Lease; !lease.IsZero() && !now.Before(lease) {
		return true // this process was stopped for long after the claim: the wake is somebody else's
	}
	a, ok := w.apps[j.Target.App]
	if !ok {
		w.complain(now, j.Target.App)
		due := now.Add(unknownApp + time.Duration(w.cfg.Rand()*float64(time.Minute)))
		w.aside(settling, j, session.Settlement{Verdict: session.Again, Free: true, Due: due,
			Why: fmt.Sprintf("app %q is not configured", j.Target.App)})
		return false
	}
	if a.cfg.Here != nil && !a.cfg.Here() {
		w.aside(settling, j, session.Settlement{Verdict: session.Again, Free: true, Due: now.Add(elsewhere(j.Key.Class, w.cfg.Rand())),
			Why: "waits for the process that has the link"})
		return false
	}
	w.mu.Lock()
	due, why := a.admit(now, j, w.cfg.Rand())
	w.mu.Unlock()
	if why != "" {
		w.aside(settling, j, session.Settlement{Verdict: session.Again, Free: true, Due: due, Why: why})
		return false
	}
	w.tasks.Go(func() { w.send(sending, settling, a, j) })
	return true
}

// elsewhere is after how long a wake comes back that another process has to send:
// whoever looks first then gets it.
func elsewhere(c session.Class, r float64) time.Duration {
	wait := 400 * time.Millisecond
	if c.Rings() {
		wait /= 4
	}
	return wait + time.Duration(r*float64(wait))
}

// complain says at most once a minute that registrations name an unknown app.
func (w *Workers) complain(now time.Time, name string) {
	w.mu.Lock()
	said, ok := w.unknown[name]
	quiet := ok && now.Sub(said) < time.Minute
	if !quiet && len(w.unknown) < 1000 {
		w.unknown[name] = now
	}
	w.mu.Unlock()
	if !quiet {
		w.cfg.Logger.Error("wakes wait for an app that is not configured; their registrations are kept",
			"app", name, "remedy", "add an [[app]] with this name, or have its clients register again")
	}
}

// aside settles a wake that is not sent now.
func (w *Workers) aside(ctx context.Context, j session.Job, s session.Settlement) {
	s.At = w.cfg.Now()
	w.clerks <- struct{}{}
	w.tasks.Go(func() {
		defer func() { <-w.clerks }()
		w.settle(ctx, j, s)
	})
}

func (w *Workers) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost++
}

// pause waits, and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
