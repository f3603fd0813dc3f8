package lab_test

import (
	"testing"

	"rouse/servers/lab"
)

func TestSentinelsPromote(t *testing.T) {
	t.Parallel()
	a := startRedis(t, lab.RedisOptions{Password: "sesame", Persist: "always"})
	b := startRedis(t, lab.RedisOptions{ReplicaOf: a, Persist: "always"})
	s, err := lab.StartSentinels(t.Context(), a, 3, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	master := func(want *lab.Redis) {
		t.Helper()
		if got, err := s.Master(t.Context()); err != nil || got != want.Addr() {
			t.Fatalf("master is %s, %v; want %s", got, err, want.Addr())
		}
		do(t, want, "OK", "SET", "wake", "due")
	}
	master(a)

	if err := s.Failover(t.Context()); err != nil {
		t.Fatal(err)
	}
	master(b)
	eventually(t, "the old master follows the new one", func() bool {
		info, err := a.Info(t.Context(), "replication")
		return err == nil && info["role"] == "slave" && info["master_link_status"] == "up"
	})

	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if now, err := s.AwaitOther(t.Context(), b.Addr()); err != nil || now != a.Addr() {
		t.Fatal(now, err)
	}
	master(a)
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the killed master comes back as a replica", func() bool {
		info, err := b.Info(t.Context(), "replication")
		return err == nil && info["role"] == "slave" && info["master_link_status"] == "up"
	})
}
