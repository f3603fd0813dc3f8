package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rouse/component/stanza"
	"rouse/push/pushtest"
)

// load is the outside of one run: an XMPP server with one component (XEP-0114),
// whose stanzas lead to pushes that come out at the stand-in for APNs.
type load struct {
	start    time.Time
	listener net.Listener
	conn     net.Conn
	out      *bufio.Writer
	mu       sync.Mutex // guards out
	reading  chan struct{}

	stanza func(dst []byte, first int) []byte // the IQ that brings wakes from this one on, id "w" and its number
	per    int                                // wakes in one stanza
	expect int32                              // things that a stanza has to lead to
	wakes  []wakeSeen
	left   []atomic.Int32 // by stanza: the answer and the pushes that are to come
	window chan struct{}  // holds one for each stanza under way
	failed chan error     // the first thing that went wrong
}

// wakeSeen says when a wake went in and came out, in nanoseconds since load.start.
type wakeSeen struct {
	sent   int64
	pushed atomic.Int64
	again  atomic.Int64 // pushes beyond the first
}

func newLoad(s *benchStage, b *bench) (l *load, err error) {
	if b.events {
		l, err = newLoadOf(s.total, perBatch, 1+perBatch, wholeStanzas(b.inflight, perBatch)/perBatch)
		l.stanza = s.batch
	} else {
		l, err = newLoadOf(s.total, 1, 2, b.inflight)
		l.stanza = s.publish
	}
	return l, err
}

// newLoadOf is for so many wakes or events, with so many in each stanza, of which
// a window is under way, each until what is expected of it has come.
func newLoadOf(total, per int, expect int32, window int) (*load, error) {
	l := &load{start: time.Now(), per: per, expect: expect, window: make(chan struct{}, window), reading: make(chan struct{}),
		failed: make(chan error, 1), wakes: make([]wakeSeen, total), left: make([]atomic.Int32, total/per)}
	var err error
	l.listener, err = net.Listen("tcp", "127.0.0.1:0")
	return l, err
}

func (l *load) address() string { return l.listener.Addr().String() }

func (l *load) close() {
	l.listener.Close()
	if l.conn != nil {
		l.conn.Close()
		<-l.reading
	}
}

func (l *load) fail(err error) {
	select {
	case l.failed <- err:
	default:
	}
}

// accept takes the component (XEP-0114 §3).
func (l *load) accept(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { l.listener.Close() })
	defer stop()
	conn, err := l.listener.Accept()
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	in := stanza.NewReader(conn, stanza.Limits{})
	if err := shakeHands(conn, in); err != nil {
		conn.Close()
		return fmt.Errorf("handshake: %w", err)
	}
	l.conn, l.out = conn, bufio.NewWriterSize(conn, 64<<10)
	go func() {
		defer close(l.reading)
		l.read(in)
	}()
	return nil
}

func shakeHands(conn net.Conn, in *stanza.Reader) error {
	if _, err := in.ReadHeader(); err != nil {
		return err
	}
	const id = "bench"
	if _, err := fmt.Fprintf(conn, "<?xml version='1.0'?><stream:stream xmlns='%s' xmlns:stream='%s' id='%s' from='%s'>",
		stanza.NSAccept, stanza.NSStream, id, benchService); err != nil {
		return err
	}
	e, err := in.Next()
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("%x", sha1.Sum([]byte(id+benchSecret))); e.Name != "handshake" || e.Text != want {
		return errors.New("wrong secret")
	}
	_, err = io.WriteString(conn, "<handshake/>")
	return err
}

// read takes what the component says: answers, and requests of its own.
func (l *load) read(in *stanza.Reader) {
	for {
		e, err := in.Next()
		if err != nil {
			if err == io.EOF {
				io.WriteString(l.conn, "</stream:stream>")
			}
			l.fail(fmt.Errorf("the component's stream ended: %w", err))
			return
		}
		id, t := e.Get("id"), e.Get("type")
		switch {
		case e.Name != "iq":
		case e.Get("to") == benchService: // a ping to itself goes back
			l.say(stanza.AppendElement(nil, e), true)
		case t == "set" || t == "get":
			l.say(fmt.Appendf(nil, "<iq type='result' id='%s' from='%s' to='%s'/>", id, benchHost, benchService), true)
		case t == "error":
			l.fail(fmt.Errorf("stanza %s was answered with %w", id, stanza.ErrorOf(&e)))
		default:
			n, err := strconv.Atoi(id[min(1, len(id)):])
			if err != nil || n < 0 || n >= len(l.left) {
				l.fail(fmt.Errorf("an answer to nothing: %q", id))
				continue
			}
			l.done(n)
		}
	}
}

// say writes bytes; they go out at once, or with what follows.
func (l *load) say(b []byte, now bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out.Write(b) // an error shows at the flush
	if now {
		l.flushLocked()
	}
}

func (l *load) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
}

func (l *load) flushLocked() {
	if err := l.out.Flush(); err != nil {
		l.fail(err)
	}
}

// done notes that one of the things came that a stanza has to lead to.
func (l *load) done(n int) {
	if l.left[n].Add(-1) == 0 {
		<-l.window
	}
}

// pushed is told of every push that the stand-in takes.
func (l *load) pushed(r pushtest.Received) *pushtest.Reply {
	i, ok := benchDevice(r.Token)
	if !ok || i < 0 || i >= len(l.wakes) {
		l.fail(errors.New("a push for a device that nobody has"))
		return nil
	}
	w := &l.wakes[i]
	if !w.pushed.CompareAndSwap(0, int64(r.At.Sub(l.start))) {
		w.again.Add(1)
		return nil
	}
	l.done(i / l.per)
	return nil
}

// drive brings in the wakes from one number to another, and returns when each
// is answered and pushed. It gives the time from the first stanza to the last push.
func (l *load) drive(ctx context.Context, from, to int) (time.Duration, error) {
	start := time.Now()
	var buf []byte
	for i := from; i < to; i += l.per {
		if err := l.enter(ctx); err != nil {
			return 0, err
		}
		n := i / l.per
		l.left[n].Store(l.expect)
		buf = l.stanza(buf[:0], i)
		now := int64(time.Since(l.start))
		for j := range l.per {
			l.wakes[i+j].sent = now
		}
		l.say(buf, false)
	}
	for range cap(l.window) {
		if err := l.enter(ctx); err != nil {
			return 0, err
		}
	}
	took := time.Since(start)
	for range cap(l.window) {
		<-l.window
	}
	return took, nil
}

// enter takes a place in the window. While there is one, stanzas gather.
func (l *load) enter(ctx context.Context) error {
	select {
	case l.window <- struct{}{}:
		return nil
	default:
	}
	l.flush()
	select {
	case l.window <- struct{}{}:
		return nil
	case err := <-l.failed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sane says what should not have happened.
func (l *load) sane() error {
	for i := range l.wakes {
		if n := l.wakes[i].again.Load(); n > 0 {
			return fmt.Errorf("wake %d was pushed %d times", i, n+1)
		}
	}
	return nil
}

// latencies gives the times from stanza to push, sorted, without those before first.
func (l *load) latencies(first int) []time.Duration {
	var all []time.Duration
	for i := first; i < len(l.wakes); i++ {
		w := &l.wakes[i]
		all = append(all, time.Duration(w.pushed.Load()-w.sent))
	}
	slices.Sort(all)
	return all
}

// publish is XEP-0357 §7 as Prosody's mod_cloud_notify sends it.
func (s *benchStage) publish(dst []byte, i int) []byte {
	return fmt.Appendf(dst, "<iq type='set' id='w%d' from='%s' to='%s'><pubsub xmlns='http://jabber.org/protocol/pubsub'>"+
		"<publish node='%s'><item><notification xmlns='urn:xmpp:push:0'><x xmlns='jabber:x:data' type='form'>"+
		"<field type='hidden' var='FORM_TYPE'><value>urn:xmpp:push:summary</value></field>"+
		"<field type='text-single' var='message-count'><value>1</value></field>"+
		"<field type='text-single' var='last-message-body'><value>New Message!</value></field>"+
		"<field type='text-single' var='last-message-sender'><value>romeo@montague.example/balcony</value></field>"+
		"</x></notification></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field>"+
		"<field var='secret'><value>%s</value></field></x></publish-options></pubsub></iq>",
		i, benchHost, benchService, s.nodes[i], s.secrets[i])
}

// batch is docs/events.md: for each of the accounts a stanza was queued.
func (s *benchStage) batch(dst []byte, first int) []byte {
	n := first / perBatch
	dst = fmt.Appendf(dst, "<iq type='set' id='w%d' from='%s' to='%s'><events xmlns='rouse:events:0' epoch='%d' seq='%d'>",
		n, benchHost, benchService, benchEpoch, n+2)
	for i := first; i < first+perBatch; i++ {
		dst = fmt.Appendf(dst, "<queued user='%s' sid='%s' n='%d' t='%d' out='1' class='message' key='i:romeo@montague.example/balcony chat %d'/>",
			benchUser(i), benchSID, i+2, time.Now().UnixMilli(), i)
	}
	return append(dst, "</events></iq>"...)
}
