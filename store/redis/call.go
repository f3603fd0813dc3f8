package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"rouse/store"
)

// patience is for how long a call is tried again when Redis cannot serve it: long
// enough for a failover to be noticed and to happen.
const patience = 10 * time.Second

// call is a script for a shard, or a command that only reads. All of them can be
// run again: what was done before and was not heard of is not done twice.
type call struct {
	shard  int
	script string   // "": args are the command
	keys   []string // of the script
	args   []any
	write  bool
	again  func(args []any) // tells the script that an earlier try may have done it
}

// reply is what a call gave.
type reply struct {
	value any
	again bool // an earlier try may have done it
}

// enter is the beginning of every method, leave the end. Close waits for those
// between.
func (s *Store) enter(ctx context.Context) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// run runs a script where its shard is, and again where that may help.
func (s *Store) run(ctx context.Context, c call) (reply, error) {
	var r route
	for {
		value, err := s.try(ctx, &r, c)
		if err == nil {
			return reply{value, r.doubt}, nil
		}
		if err := ctx.Err(); err != nil {
			return reply{}, err
		}
		if !s.next(ctx, &r, err) {
			return reply{}, explain(r.place, err)
		}
		if r.doubt && c.again != nil {
			c.again(c.args)
		}
	}
}

// route is how a call finds its node, over its tries.
type route struct {
	to     string // instead of where the topology says; for one try
	asking bool
	full   bool // send the script itself
	place  string
	doubt  bool // an earlier try may have done it
	tries  int
	hops   int
	since  time.Time
}

func (s *Store) try(ctx context.Context, r *route, c call) (any, error) {
	n, err := s.node(c.shard, r.to)
	if err != nil {
		return nil, err
	}
	r.place = n.addr
	cmd := s.command(ctx, c, r.full)
	o := &operation{ctx: ctx, cmds: []*goredis.Cmd{cmd}, write: c.write, asking: r.asking}
	if err := n.submit(o); err != nil {
		return nil, err
	}
	return o.answer(cmd)
}

// answer is what one command of an operation gave; nil where Redis has nothing.
func (o *operation) answer(cmd *goredis.Cmd) (any, error) {
	v, err := cmd.Result()
	if err == nil || errors.Is(err, goredis.Nil) {
		err = o.err
	}
	return v, err
}

// command is a call as Redis gets it: with the script's name, or all of the script.
func (s *Store) command(ctx context.Context, c call, full bool) *goredis.Cmd {
	args := make([]any, 0, 3+len(c.keys)+len(c.args))
	if sc := s.scripts[c.script]; full && sc != nil {
		args = append(args, "EVAL", sc.body, len(c.keys))
	} else if sc != nil {
		args = append(args, "EVALSHA", sc.sha, len(c.keys))
	}
	for _, k := range c.keys {
		args = append(args, k)
	}
	return goredis.NewCmd(ctx, append(args, c.args...)...)
}

// next decides whether a call is tried again after an error, and waits until then.
func (s *Store) next(ctx context.Context, r *route, err error) bool {
	if r.since.IsZero() {
		r.since = time.Now()
	}
	r.to, r.asking = "", false
	if !answered(err) && !unsent(err) {
		r.doubt = true
	}
	if time.Since(r.since) > patience || s.closing.Load() {
		return false
	}
	if says(err, "NOSCRIPT") && !r.full {
		r.full = true
		return true
	}
	if addr, ok := goredis.IsMovedError(err); ok {
		s.watch.kick()
		if r.hops++; r.hops <= 3 {
			r.to = beside(r.place, addr)
			return true
		}
	} else if addr, ok := goredis.IsAskError(err); ok {
		if r.hops++; r.hops <= 3 {
			r.to, r.asking = beside(r.place, addr), true
			return true
		}
	} else if !transient(err) {
		return false
	} else if !says(err, "TRYAGAIN") {
		s.watch.kick()
	}
	r.hops = 0
	r.tries++
	most := min(5*time.Millisecond<<min(r.tries, 6), 250*time.Millisecond)
	timer := time.NewTimer(most/2 + rand.N(most/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return true // the next try says so
	case <-s.halt:
		return false
	}
}

// transient reports whether the same may work in a moment.
func transient(err error) bool {
	if !answered(err) {
		return !errors.Is(err, context.Canceled)
	}
	for _, word := range []string{"LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS", "BUSY", "UNBLOCKED", "ERR max number of clients"} {
		if says(err, word) {
			return true
		}
	}
	return false
}

// unsent reports whether an error means that Redis never got the command.
func unsent(err error) bool {
	var dial *net.OpError
	return errors.Is(err, errRetired) || errors.Is(err, errNoNode) || errors.As(err, &dial) && dial.Op == "dial"
}

// portion is how many commands of one caller go to a node at once, so that the
// others do not wait for long.
const portion = 64

// many runs calls that only read, those of one node together, and gives what they
// answer. Those that fail are run again one by one.
func (s *Store) many(ctx context.Context, calls []call, answer func(i int, value any) error) error {
	places := make(map[*node][]int)
	for i, c := range calls {
		n, _ := s.node(c.shard, "") // nil: run finds out why
		places[n] = append(places[n], i)
	}
	var mu sync.Mutex
	portions := make([][]int, 0, len(places))
	for _, p := range places {
		portions = slices.AppendSeq(portions, slices.Chunk(p, portion))
	}
	return each(len(portions), func(p int) error {
		o := &operation{ctx: ctx}
		for _, i := range portions[p] {
			o.cmds = append(o.cmds, s.command(ctx, calls[i], false))
		}
		n, err := s.node(calls[portions[p][0]].shard, "")
		if err == nil {
			err = n.submit(o)
		}
		for at, i := range portions[p] {
			var v any
			again := err
			if again == nil {
				v, again = o.answer(o.cmds[at])
			}
			if again != nil {
				r, err := s.run(ctx, calls[i])
				if err != nil {
					return err
				}
				v = r.value
			}
			mu.Lock()
			err := answer(i, v)
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// each calls do for every number below n, some at a time, until one fails.
func each(n int, do func(i int) error) error {
	const together = 64
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range min(n, together) {
		all.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// number is for scripts that give one number.
func (r reply) number() (int64, error) {
	n, ok := r.value.(int64)
	if !ok {
		return 0, fmt.Errorf("redis answered %T where a number was due", r.value)
	}
	return n, nil
}

// texts is for scripts that give a list of texts; what is nil there is "".
func texts(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok && value != nil {
		return nil, fmt.Errorf("redis answered %T where a list was due", value)
	}
	out := make([]string, len(list))
	for i, v := range list {
		if out[i], ok = v.(string); !ok && v != nil {
			return nil, fmt.Errorf("redis answered %T where a text was due", v)
		}
	}
	return out, nil
}
