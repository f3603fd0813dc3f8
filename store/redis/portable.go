package redis

import (
	"context"
	"errors"
	"iter"
	"time"

	"rouse/session"
	"rouse/store"
)

// Items scans for each kind of thing, and reads what a page of keys names together.
func (s *Store) Items(ctx context.Context) iter.Seq2[store.Item, error] {
	return s.items(ctx, keptKind, reporterKind, registrationKind, ownersName)
}

func (s *Store) items(ctx context.Context, kinds ...string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		if err := s.enter(ctx); err != nil {
			yield(store.Item{}, err)
			return
		}
		defer s.leave()
		for _, kind := range kinds {
			for names, err := range s.find(ctx, kind) {
				if err != nil {
					yield(store.Item{}, err)
					return
				}
				items := make([]store.Item, len(names))
				if err := s.read(ctx, kind, names, items); err != nil {
					yield(store.Item{}, err)
					return
				}
				for _, i := range items {
					if i.Name+i.Reporter.Host+i.Registration.Node+i.Owner.Key == "" {
						continue // it went meanwhile
					}
					if !yield(i, nil) {
						return
					}
				}
			}
		}
	}
}

// Registrations scans as Items does.
func (s *Store) Registrations(ctx context.Context) iter.Seq2[session.Registration, error] {
	return func(yield func(session.Registration, error) bool) {
		for item, err := range s.items(ctx, registrationKind) {
			if !yield(item.Registration, err) {
				return
			}
		}
	}
}

// read fills items with what lies under the names.
func (s *Store) read(ctx context.Context, kind string, names []string, items []store.Item) error {
	calls := make([]call, 0, 2*len(names))
	for _, name := range names {
		shard := store.Shard(name)
		if kind == ownersName {
			calls = append(calls, loading(name))
		} else {
			calls = append(calls, call{shard: shard, args: []any{"GET", key(shard, kind, name)}})
		}
	}
	if kind == ownersName {
		for _, name := range names {
			calls = append(calls, recording(name))
		}
	}
	return s.many(ctx, calls, func(n int, value any) error {
		name, item := names[n%len(names)], &items[n%len(names)]
		var err error
		if kind == ownersName {
			if n >= len(names) {
				item.Reasons, err = recorded(name, value, time.Time{})
				return err
			}
			var o store.Owner
			if o, _, err = loaded(name, value); o.Version != 0 {
				item.Owner = o
			}
			return err
		}
		text, found := value.(string)
		if !found {
			return nil
		}
		switch kind {
		case keptKind:
			item.Name, item.Value = name, text
		case reporterKind:
			item.Reporter, err = parseReporter(name, text)
		case registrationKind:
			item.Registration, err = parseRegistration(name, text)
		}
		if err != nil {
			return damaged(key(store.Shard(name), kind, name), err)
		}
		return nil
	})
}

// Put writes many items at once, each as a whole.
func (s *Store) Put(ctx context.Context, items []store.Item) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	return each(len(items), func(n int) error { return s.put(ctx, items[n]) })
}

func (s *Store) put(ctx context.Context, i store.Item) error {
	switch {
	case i.Owner.Key != "":
		_, err := s.commit(ctx, store.Commit{Key: i.Owner.Key, Account: i.Owner.Account, Put: i.Owner.Account.Pending, Reasons: i.Reasons}, "*")
		return err
	case i.Registration.Node != "":
		_, err := s.register(ctx, i.Registration, "*")
		return err
	case i.Reporter.Host != "":
		return s.setReporter(ctx, i.Reporter, "*")
	case i.Name != "":
		shard := store.Shard(i.Name)
		_, err := s.run(ctx, call{shard: shard, script: "replace", write: true, keys: []string{key(shard, keptKind, i.Name)}, args: []any{"*", i.Value, "", "0"}})
		return err
	}
	return errors.New("store: an item that is nothing")
}
