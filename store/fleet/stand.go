package fleet

import (
	"context"
	"sync"
	"time"

	"rouse/store"
)

// Stand does the duty whenever this process holds the lease, and stands by
// otherwise, until ctx ends. Then the duty is finished, while the lease is still
// renewed, and the lease is let go, so that another process follows at once.
func (m *Member) Stand(ctx context.Context) error {
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { m.renew(renewing) })
	err := m.serve(ctx)
	stop()
	wg.Wait()
	m.letGo(context.WithoutCancel(ctx))
	return err
}

// serve does the duty, tenure by tenure.
func (m *Member) serve(ctx context.Context) error {
	for ctx.Err() == nil {
		m.mu.Lock()
		t := m.tenure
		m.mu.Unlock()
		if t == nil {
			select {
			case <-m.began:
			case <-ctx.Done():
			}
			continue
		}
		if err := m.cfg.Duty(ctx, t.lost); err != nil {
			return err
		}
		select { // one that ended by itself is not begun again in the same tenure
		case <-t.lost.Done():
		case <-ctx.Done():
		}
	}
	return nil
}

// renew asks for the lease, beat by beat.
func (m *Member) renew(ctx context.Context) {
	for ctx.Err() == nil {
		sent := m.cfg.Clock()
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), beat) // not to come in after letGo
		l, err := m.cfg.Store.Hold(call, lease, m.cfg.ID, ttl)
		cancel()
		next := m.answered(sent, l, err)
		pause(ctx, next-(m.cfg.Clock()-sent), nil)
	}
}

// answered takes what the store said to a request, and tells after which time,
// counted from sent, to ask again.
func (m *Member) answered(sent time.Duration, l store.Lease, err error) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holding = err
	m.expire()
	switch {
	case err != nil: // what was held is held until it runs out
		return beat
	case l.Holder != m.cfg.ID:
		if m.tenure != nil {
			m.lose("another process holds it", nil)
		}
		if l.Holder != m.holder {
			m.cfg.Logger.Info("standing by: another process has the link", "holder", l.Holder)
			poke(m.again) // those who ask the store should know
		}
		m.holder = l.Holder
		return min(beat, max(l.Left, beat/50)) // not later than it can be had
	}
	m.holder = m.cfg.ID
	left := sent + ttl - m.cfg.Clock()
	switch {
	case left <= 0: // the answer came when it was worth nothing any more
	case m.tenure != nil:
		m.until.Store(int64(sent + ttl))
		m.tenure.timer.Reset(left)
	default:
		m.until.Store(int64(sent + ttl))
		m.begin(left, l.Fence)
	}
	return beat
}

func (m *Member) begin(left time.Duration, fence uint64) {
	t := &tenure{since: m.cfg.Now()}
	t.lost, t.end = context.WithCancel(context.Background())
	t.timer = time.AfterFunc(left, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.tenure != t {
			return
		}
		if m.expire(); m.tenure == t { // it was renewed just now
			t.timer.Reset(time.Duration(m.until.Load()) - m.cfg.Clock())
		}
	})
	m.tenure = t
	m.cfg.Logger.Info("this process has the link from now on", "fence", fence)
	poke(m.began)
	poke(m.again)
}

// expire ends a tenure that ran out.
func (m *Member) expire() {
	if m.tenure != nil && !m.Holds() {
		m.holder = "" // as far as can be known
		m.lose("its time ran out before it was renewed", m.holding)
	}
}

func (m *Member) lose(why string, err error) {
	m.end()
	m.cfg.Logger.Warn("this process may not have the link any more, and stands by", "why", why, "err", err,
		"hint", "was the process or its machine stopped, or the store out of reach?")
}

func (m *Member) end() {
	m.until.Store(0)
	m.tenure.timer.Stop()
	m.tenure.end()
	m.tenure = nil
}

// letGo is for when the duty is done for good. The process is still here until
// Live ends, and says so.
func (m *Member) letGo(ctx context.Context) {
	m.mu.Lock()
	if m.tenure != nil {
		m.end()
	}
	m.holder, m.holding = "", nil
	m.mu.Unlock()
	m.depart(ctx)
	poke(m.again)
}
