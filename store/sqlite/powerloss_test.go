package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	lib "modernc.org/sqlite/lib"
)

// busy lets a few owners be decided on at once, on a disk that keeps a log. The
// log of the store is so short that it is moved into the file all the time.
func busy(t *testing.T, synchronous string) *disk {
	path := filepath.Join(t.TempDir(), "rouse.db")
	if err := openAt(t, path, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	d := newDisk(t)
	s := openAt(t, path, Options{vfs: d.name, synchronous: synchronous, checkpoint: 30})
	var workers sync.WaitGroup
	for i := range 6 {
		workers.Go(func() {
			key := fmt.Sprintf("user%d@example.org", i)
			var version uint64
			for n := uint64(1); n <= 40; n++ {
				c := typical(key, n)
				c.Version = version
				var err error
				if version, err = s.Commit(context.Background(), c); err != nil {
					t.Error(err)
					return
				}
				d.acknowledge(key, n)
			}
		})
	}
	workers.Wait()
	return d
}

// examine cuts the power once and says what is wrong with what is left.
func examine(t *testing.T, d *disk, steps int, keep survive, r *rand.Rand) error {
	dir := t.TempDir()
	acks, err := d.after(dir, steps, keep, r)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), filepath.Join(dir, "rouse.db"), Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Verify(t.Context()); err != nil {
		return err
	}
	for i := range 6 {
		key := fmt.Sprintf("user%d@example.org", i)
		if err := whole(t.Context(), s, key, acks[key]); err != nil {
			return err
		}
	}
	return nil
}

// whole wants the owner as the decision that was acknowledged left it, or as the
// next one did, who may have been on its way: state, wake and reasons alike.
func whole(ctx context.Context, s *Store, key string, acknowledged uint64) error {
	o, err := s.Load(ctx, key)
	if err != nil {
		return err
	}
	lines, err := s.Reasons(ctx, key, time.Time{})
	if err != nil {
		return err
	}
	n := o.Account.Serial
	if n < acknowledged || n > acknowledged+1 {
		return fmt.Errorf("%s: decision %d is there, %d was acknowledged", key, n, acknowledged)
	}
	if n > 0 && (len(o.Account.Pending) != 1 || uint64(len(lines)) != min(n, 200) || !lines[len(lines)-1].At.Equal(noon.Add(time.Duration(n)))) {
		return fmt.Errorf("%s: decision %d is there in part: %v, %d reasons", key, n, o.Account.Pending, len(lines))
	}
	for _, w := range o.Account.Pending {
		if w.Serial != n {
			return fmt.Errorf("%s: state of decision %d, wake of %d", key, n, w.Serial)
		}
	}
	return nil
}

func TestPowerLoss(t *testing.T) {
	d := busy(t, "FULL")
	r := rand.New(rand.NewPCG(2026, 11))
	for _, policy := range []struct {
		name string
		keep survive
	}{{"nothing", none}, {"everything", all}, {"a beginning", first}, {"something", some}} {
		for i := range 15 {
			steps := len(d.log) - r.IntN(len(d.log)*9/10)*min(i, 1) // the first cut is at the end
			if err := examine(t, d, steps, policy.keep, r); err != nil {
				t.Errorf("power cut after %d of %d steps, of what was not synced %s survives: %v", steps, len(d.log), policy.name, err)
			}
		}
	}
}

// With less syncing decisions are lost: the test above would see it.
func TestPowerLossIsSeen(t *testing.T) {
	for _, synchronous := range []string{"OFF", "NORMAL"} {
		t.Run(synchronous, func(t *testing.T) {
			d := busy(t, synchronous)
			r := rand.New(rand.NewPCG(1, 1))
			for range 20 {
				if err := examine(t, d, 1+r.IntN(len(d.log)), none, r); err != nil {
					t.Log(err)
					return
				}
			}
			t.Errorf("synchronous=%s lost nothing in 20 power cuts", synchronous)
		})
	}
}

func TestDiskFails(t *testing.T) {
	for name, c := range map[string]struct {
		write, sync int32
		remedy      string
	}{
		"full":      {write: lib.SQLITE_FULL, remedy: remedy(lib.SQLITE_FULL)},
		"read-only": {write: lib.SQLITE_READONLY, remedy: remedy(lib.SQLITE_READONLY)},
		"broken":    {write: lib.SQLITE_IOERR_WRITE, remedy: remedy(lib.SQLITE_IOERR)},
		"unsynced":  {sync: lib.SQLITE_IOERR_FSYNC, remedy: remedy(lib.SQLITE_IOERR)},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(t)
			s := openAt(t, filepath.Join(t.TempDir(), "rouse.db"), Options{vfs: d.name})
			ctx, key := t.Context(), "juliet@example.org"
			version, err := s.Commit(ctx, typical(key, 1))
			if err != nil {
				t.Fatal(err)
			}
			d.fail(c.write, c.sync)
			next := typical(key, 2)
			next.Version = version
			for range 3 {
				_, err := s.Commit(ctx, next)
				var known *Error
				if !errors.As(err, &known) || known.Path != s.path || known.Hint() != c.remedy || c.remedy == "" {
					t.Fatalf("error %v, want one with the remedy %q", err, c.remedy)
				}
				if err := whole(ctx, s, key, 1); err != nil {
					t.Fatalf("while the disk fails: %v", err)
				}
			}
			d.fail(0, 0)
			if _, err := s.Commit(ctx, next); err != nil {
				t.Fatalf("the disk works again: %v", err)
			}
			if err := errors.Join(whole(ctx, s, key, 2), s.Verify(ctx)); err != nil {
				t.Fatal(err)
			}
		})
	}
}
