package redis

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	maxBatch = 256             // commands in one round trip, and so how long its first one waits
	maxQueue = 1024            // operations that wait for a node before callers wait
	waitFor  = 2 * time.Second // for replicas and disk to confirm, in one round trip
)

// replicaGrace is for how long a replica that is gone has to confirm all the same. It
// may be gone because it is being made master: what its old master takes meanwhile is
// thrown away. Sentinel says so within two seconds.
const replicaGrace = 5 * time.Second

// errUnconfirmed: written, but no replica, or no disk, has said so in time.
var errUnconfirmed = errors.New("stored, but not confirmed in time by a replica or by the disk")

// errRetired: the node is not used any more.
var errRetired = errors.New("the node has left")

// operation is commands of one caller for one node.
type operation struct {
	ctx    context.Context
	cmds   []*goredis.Cmd
	write  bool
	asking bool // this node is about to get the slot

	sent bool
	done chan struct{} // closed when cmds have their answers
	err  error         // about all of them, then
}

// node is a Redis that has shards of ours. One goroutine sends to it: all that
// gathered while the last round trip was under way, as one.
type node struct {
	addr   string
	client *goredis.Client
	safe   bool
	stats  *stats

	queue chan *operation
	quit  chan struct{} // closed: end
	gone  chan struct{} // closed when it has ended

	replicas atomic.Int32 // that have to confirm: 1 or 0
	waitaof  atomic.Bool  // it knows WAITAOF
	followed time.Time    // when a look last saw a replica; of the watcher
}

// stats counts since Open.
type stats struct{ commands, trips atomic.Uint64 }

func newNode(addr string, client *goredis.Client, safe bool, st *stats) *node {
	n := &node{addr: addr, client: client, safe: safe, stats: st,
		queue: make(chan *operation, maxQueue), quit: make(chan struct{}), gone: make(chan struct{})}
	go n.run()
	return n
}

// close ends the sender, once what waits was sent or turned away.
func (n *node) close() error {
	close(n.quit)
	<-n.gone
	return n.client.Close()
}

// submit sends an operation and waits for its end. After an error nobody knows about
// its commands, which may still be under way.
func (n *node) submit(o *operation) error {
	o.done = make(chan struct{})
	select {
	case n.queue <- o:
	case <-n.quit:
		return errRetired
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
	select {
	case <-o.done:
		return nil
	case <-n.gone:
		return errRetired
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
}

func (n *node) run() {
	defer close(n.gone)
	var batch []*operation
	for {
		select {
		case o := <-n.queue:
			batch = n.gather(append(batch[:0], o))
			n.exchange(batch)
			clear(batch)
		case <-n.quit:
			return
		}
	}
}

// gather adds what waits. Where nothing does it lets others run once: the callers
// that the last round trip answered are about to come back.
func (n *node) gather(batch []*operation) []*operation {
	size := len(batch[0].cmds)
	yielded := false
	for size < maxBatch {
		select {
		case o := <-n.queue:
			batch = append(batch, o)
			size += len(o.cmds)
			continue
		default:
		}
		if yielded {
			break
		}
		runtime.Gosched()
		yielded = true
	}
	return batch
}

// exchange is one round trip. It runs without a caller's context: what one caller
// gives up must not break off what it shares with others.
func (n *node) exchange(batch []*operation) {
	ctx := context.Background()
	p := n.client.Pipeline()
	write := false
	for _, o := range batch {
		if o.sent = o.ctx.Err() == nil; !o.sent {
			continue
		}
		for _, c := range o.cmds {
			if o.asking {
				_ = p.Do(ctx, "ASKING")
			}
			_ = p.Process(ctx, c)
		}
		write = write || o.write
	}
	var wait *goredis.Cmd
	if write {
		wait = n.wait(ctx)
	}
	if wait != nil {
		_ = p.Process(ctx, wait)
	}
	if size := p.Len(); size > 0 {
		_, _ = p.Exec(ctx) // each command has its own error
		n.stats.commands.Add(uint64(size))
		n.stats.trips.Add(1)
	}
	unconfirmed := confirmed(wait)
	for _, o := range batch {
		switch {
		case !o.sent:
			o.err = o.ctx.Err()
		case o.write:
			o.err = unconfirmed
		}
		close(o.done)
	}
}

// met is for a master that had replicas before we came: one of them may have gone a
// moment ago.
func (n *node) met() {
	n.followed = time.Now()
	n.replicas.Store(1)
}

// saw takes note of how many replicas follow.
func (n *node) saw(replicas int) {
	if replicas > 0 {
		n.followed = time.Now()
		n.replicas.Store(1)
	} else if time.Since(n.followed) > replicaGrace {
		n.replicas.Store(0)
	}
}

// wait is the command that returns when what was written before it, on the same
// connection, has reached what "safe" asks for; nil if there is none.
func (n *node) wait(ctx context.Context) *goredis.Cmd {
	if !n.safe {
		return nil
	}
	replicas := n.replicas.Load()
	timeout := strconv.FormatInt(waitFor.Milliseconds(), 10)
	if n.waitaof.Load() {
		return goredis.NewCmd(ctx, "WAITAOF", 1, replicas, timeout)
	}
	if replicas == 0 {
		return nil // with appendfsync always the answer itself comes after the disk
	}
	return goredis.NewCmd(ctx, "WAIT", replicas, timeout)
}

// confirmed gives an error if the wait was in vain.
func confirmed(wait *goredis.Cmd) error {
	if wait == nil {
		return nil
	}
	v, err := wait.Result()
	if err != nil {
		if says(err, "UNBLOCKED") { // it is a replica from now on
			return errUnconfirmed
		}
		return err
	}
	asked, got := wait.Args()[1:], []any{v}
	if list, ok := v.([]any); ok {
		got = list
	}
	for i, n := range got {
		have, ok := n.(int64)
		want, err := strconv.ParseInt(fmt.Sprint(asked[i]), 10, 64)
		if !ok || err != nil || have < want {
			return errUnconfirmed
		}
	}
	return nil
}
