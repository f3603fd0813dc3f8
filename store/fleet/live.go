package fleet

import (
	"context"
	"sync"
	"time"

	"rouse/store"
)

// Live says that this process lives, until ctx ends, and then takes it off the
// list. Meanwhile it has the wakes of processes that are gone sent by others.
func (m *Member) Live(ctx context.Context) error {
	var heirs sync.WaitGroup
	for ctx.Err() == nil {
		begun := m.cfg.Clock()
		for _, p := range m.announce(ctx) {
			heirs.Go(func() { m.inherit(ctx, p) })
		}
		pause(ctx, beat-(m.cfg.Clock()-begun), m.again)
	}
	heirs.Wait()
	m.depart(context.WithoutCancel(ctx))
	return nil
}

// announce says how this process is, and gives those that are gone.
func (m *Member) announce(ctx context.Context) (gone []store.Process) {
	self := m.cfg.Self()
	self.ID, self.Holds, self.Said = m.cfg.ID, time.Time{}, m.cfg.Now()
	m.mu.Lock()
	if m.tenure != nil && m.Holds() {
		self.Holds = m.tenure.since
	}
	m.mu.Unlock()
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), beat) // not to come in after Depart
	defer cancel()
	gone, err := m.cfg.Store.Announce(call, self, silence)
	var list []store.Process
	if err == nil {
		list, err = m.cfg.Store.Processes(call)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil && m.telling == nil:
		m.cfg.Logger.Warn("the store does not take that this process lives; others take over from it", "err", err)
	case err == nil && m.telling != nil:
		m.cfg.Logger.Info("the store answers again")
	}
	if m.telling = err; err == nil {
		m.list = list
	}
	return gone
}

// inherit makes the wakes due again that a process took with it. Where that fails,
// or this process dies before, others are told of it too.
func (m *Member) inherit(ctx context.Context, p store.Process) {
	log := m.cfg.Logger.With("machine", p.Machine, "pid", p.PID, "process", p.ID)
	var err error
	for range 5 {
		if err = m.cfg.Store.EndLeases(ctx, p.ID); err == nil {
			log.Warn("a process is gone; what it was sending is due again")
			if err := m.cfg.Store.Inherited(ctx, p.ID); err != nil {
				log.Debug("others will hear again that it is gone", "err", err)
			}
			return
		}
		if pause(ctx, beat, nil); ctx.Err() != nil {
			return
		}
	}
	log.Error("a process is gone, and what it was sending could not be given back yet; that is tried again", "err", err)
}

// depart takes this process off the list. If that does not get through, silence
// says it.
func (m *Member) depart(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	if err := m.cfg.Store.Depart(ctx, m.cfg.ID); err != nil {
		m.cfg.Logger.Warn("the store does not take that this process ends; the others notice in some seconds", "err", err)
	}
}
