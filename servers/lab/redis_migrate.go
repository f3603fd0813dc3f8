package lab

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Migration is a slot on its way from one master to another. Until Finish the
// old one answers ASK for keys that it no longer has, and TRYAGAIN to a command
// whose keys are partly here and partly there.
type Migration struct {
	slot     string
	from, to *Redis
	toID     string
}

// MigrateSlot begins a migration; no key has moved when it returns.
func (*RedisCluster) MigrateSlot(ctx context.Context, slot int, from, to *Redis) (*Migration, error) {
	m := &Migration{slot: strconv.Itoa(slot), from: from, to: to}
	fromID, err := from.id(ctx)
	if err != nil {
		return nil, err
	}
	if m.toID, err = to.id(ctx); err != nil {
		return nil, err
	}
	if err := m.set(ctx, to, "IMPORTING", fromID); err != nil {
		return nil, err
	}
	return m, m.set(ctx, from, "MIGRATING", m.toID)
}

func (m *Migration) set(ctx context.Context, node *Redis, what ...string) error {
	if _, err := node.Do(ctx, append([]string{"CLUSTER", "SETSLOT", m.slot}, what...)...); err != nil {
		return fmt.Errorf("lab: SETSLOT %s %s: %w", m.slot, strings.Join(what, " "), err)
	}
	return nil
}

// Keys moves up to n keys and tells how many it moved.
func (m *Migration) Keys(ctx context.Context, n int) (int, error) {
	answer, err := m.from.Do(ctx, "CLUSTER", "GETKEYSINSLOT", m.slot, strconv.Itoa(n))
	if err != nil {
		return 0, err
	}
	list, _ := answer.([]any)
	var keys []string
	for _, key := range list {
		keys = append(keys, fmt.Sprint(key))
	}
	return len(keys), m.Move(ctx, keys...)
}

// Move moves these keys of the slot.
func (m *Migration) Move(ctx context.Context, keys ...string) error {
	if len(keys) == 0 {
		return nil
	}
	command := []string{"MIGRATE", "127.0.0.1", strconv.Itoa(m.to.port), "", "0", "5000"}
	if m.to.opt.Password != "" {
		command = append(command, "AUTH", m.to.opt.Password)
	}
	if _, err := m.from.Do(ctx, append(append(command, "KEYS"), keys...)...); err != nil {
		return fmt.Errorf("lab: MIGRATE of slot %s: %w", m.slot, err)
	}
	return nil
}

// Finish moves what is left and gives the slot to its new master; from then on
// the old one answers MOVED.
func (m *Migration) Finish(ctx context.Context) error {
	for {
		n, err := m.Keys(ctx, 1000)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	// The new owner first: so there is never nobody. The other nodes hear of it by gossip.
	if err := m.set(ctx, m.to, "NODE", m.toID); err != nil {
		return err
	}
	return m.set(ctx, m.from, "NODE", m.toID)
}
