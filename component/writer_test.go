package component

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a connection whose writes wait to be let through, and are kept.
type gate struct {
	net.Conn
	let    chan struct{}
	err    error
	writes [][]byte
}

func (g *gate) SetWriteDeadline(time.Time) error { return nil }

func (g *gate) Write(b []byte) (int, error) {
	<-g.let
	if g.err != nil {
		return 0, g.err
	}
	g.writes = append(g.writes, bytes.Clone(b))
	return len(b), nil
}

func TestWriterBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{let: make(chan struct{})}
		w := newWriter(g, time.Second)
		done := make(chan error, 1)
		go func() { done <- w.run() }()
		w.offer([]byte("<a/>"))
		synctest.Wait() // the first write is under way
		for range 1000 {
			if err := w.send(t.Context(), []byte("<b/>")); err != nil {
				t.Fatal(err)
			}
		}
		g.let <- struct{}{}
		g.let <- struct{}{}
		synctest.Wait()
		if len(g.writes) != 2 || string(g.writes[1]) != strings.Repeat("<b/>", 1000)+"    " {
			t.Errorf("%d writes", len(g.writes))
		}
		w.offer([]byte("<c/>"))
		w.close("<end/>")
		close(g.let)
		if err := <-done; err != nil {
			t.Error(err)
		}
		// Whether c went alone, and padded, is up to the scheduler.
		if got := strings.ReplaceAll(string(bytes.Join(g.writes[2:], nil)), " ", ""); got != "<c/><end/>" {
			t.Errorf("at the end came %s", got)
		}
		if w.offer([]byte("x")) || w.send(t.Context(), []byte("x")) != ErrDisconnected {
			t.Error("something was taken after the end")
		}
	})
}

func TestWriterIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{let: make(chan struct{})}
		w := newWriter(g, time.Second)
		done := make(chan error, 1)
		go func() { done <- w.run() }()
		w.offer([]byte("<a/>"))
		synctest.Wait()
		block := bytes.Repeat([]byte("x"), 64<<10)
		n := 0
		for ; w.offer(block); n++ {
		}
		if n != answerRoom/len(block) {
			t.Errorf("%d blocks were taken", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.send(ctx, block); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		sent := make(chan error, 1)
		go func() { sent <- w.send(t.Context(), []byte("<last/>")) }()
		synctest.Wait()
		close(g.let) // the server reads again
		if err := <-sent; err != nil {
			t.Error(err)
		}
		w.close("")
		<-done
		if got := string(g.writes[len(g.writes)-1]); !strings.HasSuffix(got, "<last/>") {
			t.Errorf("the last write had %d bytes", len(got))
		}
	})
}

func TestWriterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{let: make(chan struct{}), err: io.ErrClosedPipe}
		w := newWriter(g, time.Second)
		done := make(chan error, 1)
		go func() { done <- w.run() }()
		for w.offer(bytes.Repeat([]byte("x"), 64<<10)) {
		}
		sent := make(chan error, 1)
		go func() { sent <- w.send(t.Context(), []byte("x")) }()
		close(g.let)
		if err := <-done; err != io.ErrClosedPipe {
			t.Error(err)
		}
		if err := <-sent; err != ErrDisconnected {
			t.Error(err)
		}
	})
}
