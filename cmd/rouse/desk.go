package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"rouse/business"
	"rouse/config"
	"rouse/gateway"
	"rouse/session"
)

// desk is where a command asks for devices: the rouse that serves, where it has the
// store to itself, or else the store.
type desk interface {
	// devices gives those of whom: "" all, a domain's, or with all that there is of
	// them an account's.
	devices(ctx context.Context, whom string, each func(deviceReport) error) error

	// device gives one by its node. The account may be empty.
	device(ctx context.Context, node, account string) (deviceReport, error)

	// forget takes one out, and gives what there was of it.
	forget(ctx context.Context, node, account string) (deviceReport, error)

	// target gives what a provider needs of one, its token too, and its owner.
	target(ctx context.Context, node, account string) (session.Registration, string, error)

	// record gives what was decided about an account since a time.
	record(ctx context.Context, account string, since time.Time) (recordReport, error)

	// note puts a line on record.
	note(ctx context.Context, owner string, r session.Reason) error

	// name says who was asked.
	name() string

	close() error
}

// errNoDevice is what a desk answers for a node that it does not know.
var errNoDevice = errors.New("there is no such device")

// openDesk finds out where to ask.
func openDesk(ctx context.Context, cfg *config.Config) (desk, error) {
	if cfg.Store.Redis == nil {
		if err := there(&cfg.Store); err != nil {
			return nil, err
		}
		if d, err := callServing(ctx, controlSocket(&cfg.Store)); d != nil || err != nil {
			return d, err
		}
	}
	st, err := openStore(ctx, &cfg.Store)
	if err != nil {
		return nil, err
	}
	g, err := idleGateway(cfg, gateway.Config{Store: st, Shared: true})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return storeDesk{cfg: cfg, gateway: g, done: st.Close}, nil
}

// idleGateway decides nothing but what a command asks of it.
func idleGateway(cfg *config.Config, c gateway.Config) (*gateway.Gateway, error) {
	text, err := os.ReadFile(cfg.Store.KeyFile)
	if err != nil {
		var at *os.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, keyError(cfg.Store.KeyFile, err.Error(), "rouse makes it when it first serves")
	}
	if c.Nodes, err = gateway.NewNodes(string(text)); err != nil {
		return nil, keyError(cfg.Store.KeyFile, err.Error(), "restore it from a backup; docs/backup.md says what to do when it is lost")
	}
	if cfg.Component != nil {
		c.Service, c.Hosts = cfg.Component.JID, cfg.Component.Hosts
	}
	c.Policy, c.Now = business.DefaultPolicy, time.Now
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return gateway.New(c), nil
}

// storeDesk asks a gateway of this process.
type storeDesk struct {
	cfg     *config.Config
	gateway *gateway.Gateway
	done    func() error
}

func (d storeDesk) name() string { return d.cfg.Store.Name }

func (d storeDesk) close() error {
	d.gateway.Close()
	return d.done()
}

func (d storeDesk) devices(ctx context.Context, whom string, each func(deviceReport) error) error {
	now := time.Now()
	if isAccount(whom) {
		list, err := d.gateway.DevicesOf(ctx, whom)
		if err != nil {
			return err
		}
		for _, one := range list {
			if err := each(reportDevice(d.cfg, one, now)); err != nil {
				return err
			}
		}
		return nil
	}
	for one, err := range d.gateway.Registrations(ctx, whom) {
		if err != nil {
			return err
		}
		if err := each(reportDevice(d.cfg, one, now)); err != nil {
			return err
		}
	}
	return nil
}

func (d storeDesk) device(ctx context.Context, node, account string) (deviceReport, error) {
	one, err := d.gateway.Device(ctx, node, account)
	return reportDevice(d.cfg, one, time.Now()), known(err)
}

func (d storeDesk) forget(ctx context.Context, node, account string) (deviceReport, error) {
	one, err := d.gateway.ForgetDevice(ctx, node, account)
	return reportDevice(d.cfg, one, time.Now()), known(err)
}

func (d storeDesk) target(ctx context.Context, node, account string) (session.Registration, string, error) {
	one, err := d.gateway.Device(ctx, node, account)
	return one.Registration, one.Owner, known(err)
}

func (d storeDesk) record(ctx context.Context, account string, since time.Time) (recordReport, error) {
	r, err := d.gateway.RecordOf(ctx, account, since)
	return reportRecord(d.cfg, r, time.Now()), err
}

func (d storeDesk) note(ctx context.Context, owner string, r session.Reason) error {
	return d.gateway.Note(ctx, owner, r)
}

func known(err error) error {
	if errors.Is(err, gateway.ErrUnknown) {
		return errNoDevice
	}
	return err
}
