package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"rouse/session"
	"rouse/store"
)

// Registration reads one, live or dead.
func (s *Store) Registration(ctx context.Context, node string) (session.Registration, error) {
	if err := s.enter(ctx); err != nil {
		return session.Registration{}, err
	}
	defer s.leave()
	r, _, err := s.registration(ctx, node)
	return r, err
}

// registration gives it also as it is stored.
func (s *Store) registration(ctx context.Context, node string) (session.Registration, string, error) {
	shard := store.Shard(node)
	k := key(shard, registrationKind, node)
	r, err := s.run(ctx, call{shard: shard, args: []any{"GET", k}})
	if err != nil {
		return session.Registration{}, "", err
	}
	text, found := r.value.(string)
	if !found {
		return session.Registration{}, "", store.ErrNotFound
	}
	reg, err := parseRegistration(node, text)
	if err != nil {
		return session.Registration{}, "", damaged(k, err)
	}
	return reg, text, nil
}

// Register writes it whole.
func (s *Store) Register(ctx context.Context, r session.Registration) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if r.Node == "" {
		return errors.New("store: registration without a node")
	}
	_, err := s.register(ctx, r, "*")
	return err
}

// register writes a registration over the one that is stored as `from`; false: another is.
func (s *Store) register(ctx context.Context, r session.Registration, from string) (bool, error) {
	age := time.Duration(0)
	if registrationState(r) == stateTombstone {
		age = store.TombstoneAge
	}
	shard := store.Shard(r.Node)
	got, err := s.run(ctx, call{shard: shard, script: "register", write: true,
		keys: []string{key(shard, registrationKind, r.Node), key(shard, countersName, "")},
		args: []any{from, registrationRow(r), strconv.FormatInt(age.Milliseconds(), 10)}})
	if err != nil {
		return false, err
	}
	done, err := got.number()
	return done == 1, err
}

// Bury marks a registration dead, unless it is dead or newer than at.
func (s *Store) Bury(ctx context.Context, node, reason string, at time.Time) (session.Registration, error) {
	return s.end(ctx, node, reason, func(r *session.Registration) bool {
		if !r.Live() || r.Updated.After(at) {
			return false
		}
		r.Dead, r.Died = reason, moment(nanos(at))
		return true
	})
}

// Unregister leaves a tombstone: what tells of the device and its user goes.
func (s *Store) Unregister(ctx context.Context, node, reason string, at time.Time) error {
	_, err := s.end(ctx, node, reason, func(r *session.Registration) bool {
		if registrationState(*r) == stateTombstone {
			return false
		}
		r.Dead, r.Died = reason, moment(nanos(at))
		r.Token, r.Device = "", ""
		return true
	})
	return err
}

// end writes the registration if change says that it changed it, and does so again
// while others change it meanwhile.
func (s *Store) end(ctx context.Context, node, reason string, change func(*session.Registration) bool) (session.Registration, error) {
	if err := s.enter(ctx); err != nil {
		return session.Registration{}, err
	}
	defer s.leave()
	if reason == "" {
		return session.Registration{}, errors.New("store: the end of a registration needs a reason")
	}
	for {
		r, from, err := s.registration(ctx, node)
		if err != nil || !change(&r) {
			return r, err
		}
		if done, err := s.register(ctx, r, from); done || err != nil {
			return r, err
		}
	}
}
