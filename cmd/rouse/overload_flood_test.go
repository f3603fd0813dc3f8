package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"rouse/component/stanza"
	"rouse/push/pushtest"
)

// flood is an XMPP server that has more to say than rouse can send. Half of the
// devices it reports as mod_rouse does: one batch at a time, the rest in a queue.
// To the others it publishes and waits for nobody.
type flood struct {
	stage    *benchStage
	books    *books
	listener net.Listener
	conn     net.Conn
	reading  chan struct{}
	outMu    sync.Mutex // guards out
	out      *bufio.Writer

	mu      sync.Mutex // guards what follows
	devices []*flooded
	queue   []happening          // of the module
	batch   []happening          // on its way
	asked   map[string]happening // publishes on their way, by id
	seq     int                  // of the batch
	calls   int                  // counter of the account events
	next    int                  // device
	waits   int                  // answers of that kind
	longest int                  // the queue was
	pushes  int
	failed  error
	moved   chan struct{} // closed and replaced when something was answered or pushed
}

// flooded is one device of the flood.
type flooded struct {
	n        int
	page     *page
	out      int // stanzas sent to its session
	accepted []acceptance
}

// happening is one stanza for one device.
type happening struct {
	device *flooded
	call   bool
	at     time.Time // when it was sent, first
	id     string
}

// acceptance is when one was answered.
type acceptance struct {
	sent, at time.Time
	call     bool
}

func newFlood(stage *benchStage) (*flood, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &flood{stage: stage, books: newBooks(), listener: l, reading: make(chan struct{}), asked: map[string]happening{}, seq: 1, moved: make(chan struct{})}
	for i := range stage.total {
		f.devices = append(f.devices, &flooded{n: i, page: f.books.open(benchToken(i), benchUser(i))})
	}
	return f, nil
}

func (f *flood) address() string { return f.listener.Addr().String() }

func (f *flood) close() {
	f.listener.Close()
	if f.conn != nil {
		f.conn.Close()
		<-f.reading
	}
}

func (f *flood) accept(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { f.listener.Close() })
	defer stop()
	conn, err := f.listener.Accept()
	if err != nil {
		return err
	}
	in := stanza.NewReader(conn, stanza.Limits{})
	if err := shakeHands(conn, in); err != nil {
		conn.Close()
		return err
	}
	f.conn, f.out = conn, bufio.NewWriterSize(conn, 64<<10)
	go func() {
		defer close(f.reading)
		f.read(in)
	}()
	return nil
}

func (f *flood) read(in *stanza.Reader) {
	for {
		e, err := in.Next()
		if err != nil {
			f.fail(fmt.Errorf("the component's stream ended: %w", err))
			io.WriteString(f.conn, "</stream:stream>")
			return
		}
		id, t := e.Get("id"), e.Get("type")
		switch {
		case e.Name != "iq" || id == "":
		case e.Get("to") == benchService: // a ping to itself goes back
			f.say(stanza.AppendElement(nil, e))
		case t == "set" || t == "get":
			f.say(fmt.Appendf(nil, "<iq type='result' id='%s' from='%s' to='%s'/>", id, benchHost, benchService))
		case id[0] == 'w':
			f.answered(id[1:], t == "error" && stanza.ErrorOf(&e).Type != "wait", t == "error", stanza.ErrorOf(&e))
		}
	}
}

// answered takes what became of a batch or a publish.
func (f *flood) answered(id string, wrong, refused bool, cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if wrong {
		f.failLocked(fmt.Errorf("answered with %w", cause))
	}
	var again []byte
	switch h, published := f.asked["w"+id]; {
	case published && refused:
		f.waits++
		f.books.withdraw(h.device.page, h.id, "answered wait")
		delete(f.asked, "w"+id)
	case published:
		delete(f.asked, "w"+id)
		f.acceptedLocked(h)
	case refused: // the batch, once more
		f.waits++
		again = f.batchLocked()
	default:
		for _, h := range f.batch {
			f.acceptedLocked(h)
		}
		f.batch = nil
		again = f.nextLocked()
	}
	f.moveLocked()
	if again != nil {
		go f.say(again) // rouse may not read before we do
	}
}

func (f *flood) acceptedLocked(h happening) {
	h.device.accepted = append(h.device.accepted, acceptance{sent: h.at, at: time.Now(), call: h.call})
}

func (f *flood) moveLocked() {
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *flood) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failLocked(err)
}

func (f *flood) failLocked(err error) {
	f.failed = errors.Join(f.failed, err)
	f.moveLocked()
}

func (f *flood) say(b []byte) {
	f.outMu.Lock()
	defer f.outMu.Unlock()
	f.out.Write(b)
	f.out.Flush() // an error ends the reading as well
}

// nextLocked is the next batch out of the queue, if none is on its way.
func (f *flood) nextLocked() []byte {
	if len(f.batch) > 0 || len(f.queue) == 0 {
		return nil
	}
	n := min(perBatch, len(f.queue))
	f.batch, f.queue = f.queue[:n:n], f.queue[n:]
	f.seq++
	return f.batchLocked()
}

func (f *flood) batchLocked() []byte {
	b := fmt.Appendf(nil, "<iq type='set' id='wb%d' from='%s' to='%s'><events xmlns='rouse:events:0' epoch='%d' seq='%d'>",
		f.seq, benchHost, benchService, benchEpoch, f.seq)
	for _, h := range f.batch {
		user, now := benchUser(h.device.n), time.Now().UnixMilli()
		if h.call {
			b = fmt.Appendf(b, "<call user='%s' n='%s' t='%d' class='call' key='i:%s'/>", user, h.id[1:], now, h.id)
		} else {
			b = fmt.Appendf(b, "<queued user='%s' sid='%s' n='%s' t='%d' out='%s' class='message' key='i:%s'/>", user, benchSID, h.id[1:], now, h.id[1:], h.id)
		}
	}
	return append(b, "</events></iq>"...)
}

// pushed is told of every push that the stand-in answered.
func (f *flood) pushed(r pushtest.Received) {
	f.books.accept(r.Token, r.At, r.Collapse == "", r.ID, r.Delivered())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pushes++
	f.moveLocked()
}

// tell is one stanza for the next device: into the module's queue, or published.
// One in twenty of the module's is a call, another of its devices' in each round:
// a device that is called more often than [business.Policy] has it ring waits
// for that, and not for room.
func (f *flood) tell(rings bool) {
	f.mu.Lock()
	d := f.devices[f.next%len(f.devices)]
	f.next++
	h := happening{device: d, at: time.Now()}
	var b []byte
	switch {
	case d.n%2 == 1:
		h.id = "p" + strconv.Itoa(f.next)
		b = f.stage.publish(nil, d.n)
		name := fmt.Sprintf("w%d", f.next) // as publish names it: see below
		b = append([]byte(fmt.Sprintf("<iq type='set' id='%s'", name)), b[len(fmt.Sprintf("<iq type='set' id='w%d'", d.n)):]...)
		f.asked[name] = h
	case rings && (f.next+2*(f.next/len(f.devices)))%40 < 2:
		f.calls++
		h.call, h.id = true, "c"+strconv.Itoa(f.calls)
	default:
		d.out++
		h.id = "m" + strconv.Itoa(d.out+1)
	}
	f.books.note(d.page, entry{at: h.at, what: wasSent, owed: true, call: h.call, id: h.id})
	if b == nil {
		f.queue = append(f.queue, h)
		f.longest = max(f.longest, len(f.queue))
		b = f.nextLocked()
	}
	f.mu.Unlock()
	if b != nil {
		f.say(b)
	}
}

// capacity is how many wakes a second are sent as long as more are owed, each to
// a device that has no other.
func (f *flood) capacity(ctx context.Context, d time.Duration) (float64, error) {
	const owed = 512
	var start time.Time
	first, told := 0, 0
	for {
		f.mu.Lock()
		pushes, moved, err := f.pushes, f.moved, f.failed
		f.mu.Unlock()
		switch {
		case err != nil:
			return 0, err
		case pushes >= owed && start.IsZero(): // all is warm
			start, first = time.Now(), pushes
		case !start.IsZero() && time.Since(start) >= d:
			return float64(pushes-first) / time.Since(start).Seconds(), nil
		}
		if told-pushes < owed {
			f.tell(false)
			told++
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// offer tells so many stanzas a second for a while, and gives how many it were.
func (f *flood) offer(ctx context.Context, rate float64, d time.Duration) (int, error) {
	start, told := time.Now(), 0
	for time.Since(start) < d {
		for want := int(time.Since(start).Seconds() * rate); told < want && time.Since(start) < d; told++ {
			f.tell(true)
		}
		f.mu.Lock()
		err := f.failed
		f.mu.Unlock()
		if err != nil {
			return told, err
		}
		if !sleep(ctx, 5*time.Millisecond) {
			return told, context.Cause(ctx)
		}
	}
	return told, nil
}

// settled waits until everything is answered, and nothing is owed any more.
func (f *flood) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, overloadWait)
	defer cancel()
	for {
		f.mu.Lock()
		under, err := len(f.queue)+len(f.batch)+len(f.asked), f.failed
		f.mu.Unlock()
		var left []string
		if under == 0 {
			left = f.books.outstanding(time.Time{})
		}
		switch {
		case err != nil:
			return err
		case under == 0 && len(left) == 0:
			return nil
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%d stanzas are not answered, %d are owed: %q", under, len(left), left[:min(len(left), 5)])
		}
	}
}

// taken is how many stanzas were accepted.
func (f *flood) taken() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.devices {
		n += len(d.accepted)
	}
	return n
}

// withdraw notes why nobody is woken for a stanza after all.
func (b *books) withdraw(p *page, id, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(p.entries) - 1; i >= 0; i-- {
		if e := &p.entries[i]; e.what == wasSent && e.id == id {
			e.excused = why
			return
		}
	}
}
