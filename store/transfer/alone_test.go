package transfer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rouse/store"
)

// list is a store's list of processes, in memory.
type list struct {
	mu    sync.Mutex
	all   []store.Process
	heard map[string]time.Time
	ended []string
}

func (l *list) Announce(_ context.Context, p store.Process, silence time.Duration) (gone []store.Process, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heard == nil {
		l.heard = make(map[string]time.Time)
	}
	if _, known := l.heard[p.ID]; !known {
		l.all = append(l.all, p)
	}
	l.heard[p.ID] = time.Now()
	l.all = slices.DeleteFunc(l.all, func(p store.Process) bool {
		if time.Since(l.heard[p.ID]) <= silence {
			return false
		}
		gone = append(gone, p)
		return true
	})
	return gone, nil
}

func (l *list) Depart(_ context.Context, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(p store.Process) bool { return p.ID == id })
	delete(l.heard, id)
	return nil
}

func (l *list) Inherited(context.Context, string) error { return nil }

func (l *list) Processes(context.Context) ([]store.Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all), nil
}

func (l *list) Hold(context.Context, string, string, time.Duration) (store.Lease, error) {
	panic("a copy holds nothing")
}

func (l *list) EndLeases(_ context.Context, process string) error {
	l.ended = append(l.ended, process)
	return nil
}

var (
	self  = store.Process{ID: "self"}
	other = store.Process{ID: "other", PID: 7, Machine: "m1"}
)

// lives has a process say that it is there, as a serving rouse does, until ctx ends.
func (l *list) lives(ctx context.Context, p store.Process) {
	for {
		l.Announce(ctx, p, time.Hour)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(list)
		began := time.Now()
		alone, leave, err := Alone(t.Context(), l, self)
		if err != nil || time.Since(began) > 0 {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if alone.Err() != nil || len(l.all) != 1 || time.Since(l.heard["self"]) > silence {
			t.Errorf("%v, list %+v", context.Cause(alone), l.all)
		}
		leave()
		if len(l.all) != 0 || alone.Err() == nil {
			t.Errorf("still on the list: %+v", l.all)
		}
	})
}

func TestAnotherLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(list)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go l.lives(ctx, other)
		synctest.Wait()
		_, _, err := Alone(t.Context(), l, self)
		if err == nil || !strings.Contains(err.Error(), "process 7 on m1") {
			t.Errorf("got %v", err)
		}
		if list, _ := l.Processes(ctx); len(list) != 1 || list[0].ID != "other" {
			t.Errorf("list %+v", list)
		}
	})
}

// TestAnotherWasKilled: it is on the list until it is missed, and its wakes are
// given back by whoever is told.
func TestAnotherWasKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(list)
		l.Announce(t.Context(), other, time.Hour)
		began := time.Now()
		_, leave, err := Alone(t.Context(), l, self)
		if err != nil || time.Since(began) > patience {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		leave()
		if !slices.Equal(l.ended, []string{"other"}) {
			t.Errorf("leases ended: %v", l.ended)
		}
	})
}

func TestAnotherComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(list)
		alone, leave, err := Alone(t.Context(), l, self)
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		time.Sleep(time.Minute)
		l.Announce(t.Context(), other, time.Hour)
		<-alone.Done()
		if why := context.Cause(alone); !strings.Contains(why.Error(), "process 7 on m1") {
			t.Errorf("got %v", why)
		}
	})
}

func TestAloneIsBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(list)
		l.Announce(t.Context(), other, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, _, err := Alone(ctx, l, self); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if len(l.all) != 1 {
			t.Errorf("list %+v", l.all)
		}
	})
}
