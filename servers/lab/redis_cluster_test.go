package lab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rouse/servers/lab"
)

// The keys of this tag lie in one slot, whose number Redis is asked for.
const one, two = "{7}:one", "{7}:two"

func startCluster(t *testing.T, masters, replicasEach int, opt lab.RedisOptions) *lab.RedisCluster {
	t.Helper()
	opt.Dir = t.TempDir()
	c, err := lab.StartRedisCluster(t.Context(), masters, replicasEach, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// slotOf is a key's slot, the master that has it and one that has not.
func slotOf(t *testing.T, c *lab.RedisCluster, key string) (slot int, owner, other *lab.Redis) {
	t.Helper()
	answer, err := c.Nodes()[0].Do(t.Context(), "CLUSTER", "KEYSLOT", key)
	if err != nil {
		t.Fatal(err)
	}
	slot = int(answer.(int64))
	if owner, err = c.Owner(t.Context(), slot); err != nil {
		t.Fatal(err)
	}
	if other = c.Nodes()[0]; other == owner {
		other = c.Nodes()[1]
	}
	return slot, owner, other
}

// refused wants this error of Redis.
func refused(t *testing.T, r *lab.Redis, want string, command ...string) {
	t.Helper()
	if got, err := r.Do(t.Context(), command...); !errors.Is(err, lab.RedisError(want)) {
		t.Fatalf("%s: %v, %v; want %s", strings.Join(command, " "), got, err, want)
	}
}

func TestClusterSlotOnItsWay(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, 0, lab.RedisOptions{Password: "sesame", TLS: true})
	slot, owner, other := slotOf(t, c, one)
	do(t, owner, "OK", "MSET", one, "1", two, "2")
	refused(t, other, fmt.Sprintf("MOVED %d %s", slot, owner.Addr()), "GET", one)

	m, err := c.MigrateSlot(t.Context(), slot, owner, other)
	if err != nil {
		t.Fatal(err)
	}
	do(t, owner, "1", "GET", one)
	refused(t, owner, fmt.Sprintf("ASK %d %s", slot, other.Addr()), "GET", "{7}:new")
	if err := m.Move(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	refused(t, owner, "ASK", "GET", one)
	refused(t, owner, "TRYAGAIN", "MGET", one, two)
	do(t, owner, "2", "GET", two)

	if n, err := m.Keys(t.Context(), 10); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	refused(t, owner, "ASK", "GET", two)
	if err := m.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(t, owner, fmt.Sprintf("MOVED %d %s", slot, other.Addr()), "GET", two)
	do(t, other, "2", "GET", two)
	eventually(t, "all nodes know the new owner", func() bool {
		now, err := c.Owner(t.Context(), slot)
		return err == nil && now == other
	})
}

func TestClusterReplicaTakesOver(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, 1, lab.RedisOptions{Persist: "always"})
	slot, master, _ := slotOf(t, c, one)
	do(t, master, "OK", "SET", one, "1")
	if err := master.Kill(); err != nil {
		t.Fatal(err)
	}
	var now *lab.Redis
	eventually(t, "a replica is master", func() bool {
		var err error
		now, err = c.Owner(t.Context(), slot)
		return err == nil && now != master
	})
	if err := c.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, now, "OK", "SET", one, "2")
	if err := master.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old master follows", func() bool {
		info, err := master.Info(t.Context(), "replication")
		return err == nil && info["role"] == "slave" && info["master_link_status"] == "up"
	})
}
