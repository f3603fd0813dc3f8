package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"time"

	"rouse/config"
	"rouse/notice"
	"rouse/notice/chat"
	"rouse/notice/dispatch"
	"rouse/notice/outbox"
	"rouse/notice/program"
	"rouse/notice/room"
	"rouse/web"
)

// herald has people told of what happens: in a directory, and what others emit.
type herald struct {
	cfg      *config.Config
	log      *slog.Logger
	outbox   *outbox.DB
	dispatch *dispatch.Dispatcher
	rooms    *room.Rooms     // nil: there is no link
	watch    *directoryWatch // nil: no directory is followed
	socket   net.Listener    // nil: nobody emits on this machine
	now      func() time.Time
	gone     func(ctx context.Context, account string) error
}

// newHerald makes one; nil: nobody is told of anything.
func newHerald(ctx context.Context, a *app, cfg *config.Config, now func() time.Time) (_ *herald, err error) {
	if !cfg.Notifies() {
		return nil, nil
	}
	h := &herald{cfg: cfg, log: a.log, now: now, gone: a.forgetAccount}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close())
		}
	}()
	if h.outbox, err = outbox.Open(ctx, cfg.Notices.File); err != nil {
		return nil, fmt.Errorf("notices.file: %w", err)
	}
	ways, err := programs(cfg, a.log)
	if err != nil {
		return nil, err
	}
	if c := cfg.Component; c != nil {
		h.rooms = room.New(c.JID, "rouse", &a.link)
		for _, r := range cfg.Rooms {
			h.rooms.Called(r.JID, r.Nick)
		}
		say := &chat.Sender{From: c.JID, Link: &a.link}
		ways[notice.Chat] = dispatch.Way{Sender: say, AtOnce: cfg.Notices.ChatAtOnce, Ready: a.linked}
		ways[inRoom] = dispatch.Way{Sender: h.rooms, AtOnce: max(1, len(cfg.Rooms)), Ready: a.linked}
		ways[notice.Device] = dispatch.Way{Sender: &deviceSender{a: a, chat: say}, AtOnce: cfg.Notices.ChatAtOnce}
	}
	if err := checkFilters(cfg); err != nil {
		return nil, err
	}
	if err := h.outbox.Abandon(ctx, execPrefix, slices.Collect(maps.Keys(ways)), now()); err != nil {
		return nil, fmt.Errorf("notices.file: %w", err)
	}
	h.dispatch = dispatch.New(dispatch.Config{Outbox: h.outbox, Ways: ways, Gather: h.gather, Listeners: h.listeners, Observe: a.metrics.Notice, Now: now, Logger: a.log})
	if h.watch, err = watchDirectory(ctx, a, cfg, now, h.dispatch.Poke); err != nil {
		return nil, err
	}
	h.measure(a.metrics, ways)
	if h.socket, err = listenNotices(&cfg.Notices); err != nil {
		return nil, err
	}
	return h, nil
}

// measure has the metrics know what is told.
func (h *herald) measure(m *web.Metrics, ways map[string]dispatch.Way) {
	m.Notices(slices.Sorted(maps.Keys(ways)), func() int {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := h.outbox.Counts(ctx)
		if err != nil {
			return -1
		}
		return c.Waiting + c.Unplanned
	})
	if h.watch != nil {
		m.Directory(func() bool { s := h.watch.follower.Status(); return s.Server != "" && s.Failed == "" })
	}
}

const (
	inRoom     = "room"
	execPrefix = "exec:" // and the name of one
)

// programs are the ways to those of the configuration.
func programs(cfg *config.Config, log *slog.Logger) (map[string]dispatch.Way, error) {
	ways := make(map[string]dispatch.Way)
	for i, e := range cfg.Execs {
		p, err := program.New(program.Config{Name: e.Name, Command: e.Command, Env: e.Env, Input: e.Input, Timeout: e.Timeout, User: e.User, Logger: log})
		if err != nil {
			return nil, fmt.Errorf("exec[%d].user: %w", i, err)
		}
		ways[execPrefix+e.Name] = dispatch.Way{Sender: p, AtOnce: e.AtOnce}
	}
	return ways, nil
}

// checkFilters says what is wrong with those of the configuration.
func checkFilters(cfg *config.Config) error {
	var errs []error
	check := func(key string, list []string) {
		for i, text := range list {
			if _, err := notice.ParseFilter(text); err != nil {
				errs = append(errs, hint{fmt.Sprintf("%s.filters[%d]: %v", key, i, err), "docs/notices.md lists the rules"})
			}
		}
	}
	for i, r := range cfg.Rooms {
		check(fmt.Sprintf("room[%d]", i), r.Filters)
	}
	for i, e := range cfg.Execs {
		check(fmt.Sprintf("exec[%d]", i), e.Filters)
	}
	return errors.Join(errs...)
}

// admins are those of the configuration, and of a group of the directory.
func (h *herald) admins() []string {
	var list []string
	if h.cfg.Component != nil {
		list = h.cfg.Component.Admins
	}
	if h.watch != nil {
		return h.watch.admins(list)
	}
	return list
}

// isAdmin reports whether an account, a bare JID, may ask for others.
func (h *herald) isAdmin(account string) bool { return slices.Contains(h.admins(), account) }

// listeners is who may be told.
func (h *herald) listeners(ctx context.Context) (notice.Listeners, error) {
	who := notice.Listeners{Except: h.cfg.Notices.Except, Failed: func(address string, err error) {
		h.log.Warn("a filter fails, and matches nothing", "of", address, "err", err)
	}}
	if h.cfg.Component != nil {
		who.Admins = h.admins()
	}
	for _, r := range h.cfg.Rooms {
		who.Fixed = append(who.Fixed, notice.Fixed{Context: inRoom, Address: r.JID, Role: notice.Room, Filters: r.Filters})
	}
	for _, e := range h.cfg.Execs {
		who.Fixed = append(who.Fixed, notice.Fixed{Context: execPrefix + e.Name, Address: e.Name, Role: notice.Program, Filters: e.Filters})
	}
	who.Preferences = func(address string) notice.Preferences {
		p, err := h.outbox.Preferences(ctx, address)
		if err != nil && ctx.Err() == nil {
			h.log.Error("what somebody prefers cannot be read, they are told as others are", "err", err)
		}
		if h.cfg.Component == nil { // there is no way to them
			return notice.Preferences{Contexts: []notice.Context{{Name: notice.Chat, Off: true}, {Name: notice.Device, Off: true}}}
		}
		return p
	}
	return who, nil
}

// gather brings what the directory said into the outbox. Whoever dies in between does it
// again: a notice is taken once.
func (h *herald) gather(ctx context.Context) error {
	if h.watch == nil {
		return nil
	}
	for {
		list, err := h.watch.db.Events(ctx, gatherAtOnce)
		if err != nil || len(list) == 0 {
			return err
		}
		var notices []notice.Notice
		var numbers []int64
		for _, e := range list {
			notices = append(notices, h.watch.notice(e.Event))
			numbers = append(numbers, e.N)
			if account := h.watch.deleted(e.Event); account != "" {
				if err := errors.Join(h.outbox.Prefer(ctx, account, notice.Preferences{}), h.gone(ctx, account)); err != nil {
					return fmt.Errorf("what is kept of %s, who was deleted: %w", account, err)
				}
			}
		}
		if _, err := h.outbox.Add(ctx, h.now(), notices...); err != nil {
			return err
		}
		if err := h.watch.db.Done(ctx, numbers...); err != nil {
			return err
		}
	}
}

const gatherAtOnce = 500

// linkUp says that there is a new link.
func (h *herald) linkUp() {
	if h.rooms != nil {
		h.rooms.Forget()
	}
	h.dispatch.Poke()
}

// close gives the files back.
func (h *herald) close() error {
	if h == nil {
		return nil
	}
	if h.socket != nil {
		h.socket.Close()
	}
	err := h.watch.close()
	if h.outbox != nil {
		err = errors.Join(err, h.outbox.Close())
	}
	return err
}

// linked reports whether this process has a link by which somebody can be told.
func (a *app) linked() bool {
	c := a.link.now.Load()
	return c != nil && c.Connected()
}

// forgetAccount takes out the devices of somebody who is not there any more.
func (a *app) forgetAccount(ctx context.Context, account string) error {
	list, err := a.gateway.DevicesOf(ctx, account)
	if err != nil {
		return err
	}
	for _, d := range list {
		if _, err := a.gateway.ForgetDevice(ctx, d.Node, account); err != nil {
			return err
		}
	}
	return nil
}
