package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"golang.org/x/net/netutil"

	"rouse/config"
	"rouse/notice"
	"rouse/notice/emit"
)

// intake is what takes notices of others; token "" for a socket.
func (h *herald) intake(token string) http.Handler {
	return emit.Handler(emit.Config{
		Token: token, Add: h.outbox.Add, Fresh: h.dispatch.Poke, Now: h.now, Logger: h.log,
		Person: func(user string) notice.Person {
			if h.watch == nil {
				return notice.Person{Name: user, Why: "no directory is followed"}
			}
			if e := h.watch.follower.User(user); e != nil {
				return h.watch.person(e.ID)
			}
			return notice.Person{Name: user, Why: "is not in the directory"}
		},
	})
}

// takeNotices answers on the socket until ctx ends.
func (h *herald) takeNotices(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle(emit.Path, h.intake(""))
	srv := &http.Server{Handler: mux, ReadTimeout: controlTime, IdleTimeout: controlTime, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(netutil.LimitListener(h.socket, controlConns)) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("notices.socket: %w", err), srv.Close())
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlTime)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		err = srv.Close()
	}
	<-served
	os.Remove(h.cfg.Notices.Socket)
	return err
}

// listenNotices makes the socket, for its owner and group.
func listenNotices(n *config.Notices) (net.Listener, error) {
	if n.Socket == "" {
		return nil, nil
	}
	l, err := listenSocket(n.Socket, 0o660)
	if err != nil {
		return nil, fmt.Errorf("notices.socket: %w", err)
	}
	return l, nil
}
