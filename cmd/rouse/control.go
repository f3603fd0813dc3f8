package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/net/netutil"

	"rouse/config"
	"rouse/session"
)

// A store in a file has one process. So that commands can ask for devices while
// that one serves, it listens on a socket beside the file, with the file's rights:
// whoever may read the store may ask. Nothing of it is in the network.

// controlSocket is where the process that has a store in a file is asked.
func controlSocket(s *config.Store) string { return s.Path + "-control" }

const (
	maxControl     = 1 << 20 // bytes of one answer's line, or of a request
	controlConns   = 8
	controlTime    = 10 * time.Second
	longestSocket  = 104 // characters of a path; systems have 104 to 108
	controlDevices = "/devices"
	controlDevice  = "/device"
	controlForget  = "/forget"
	controlTarget  = "/target"
	controlRecord  = "/record"
	controlNote    = "/note"
)

// listenControl makes the socket. The store is held, so that one which is there is
// of a process that is dead.
func listenControl(path string) (net.Listener, error) { return listenSocket(path, 0o600) }

// listenSocket makes a socket with those rights, in place of one that is there.
func listenSocket(path string, mode fs.FileMode) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// In a directory of ours alone until it has its rights.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".c")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	if n := max(len(made), len(path)); n > longestSocket {
		return nil, fmt.Errorf("a path of %d characters is too long for a socket", n)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, mode), os.Rename(made, path)); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// control answers on the socket until ctx ends.
func (a *app) control(ctx context.Context) error {
	srv := &http.Server{
		Handler: controlHandler(storeDesk{cfg: a.cfg.Load(), gateway: a.gateway}), ReadTimeout: controlTime, IdleTimeout: controlTime,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(netutil.LimitListener(a.controls, controlConns)) }()
	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("control: %w", err), srv.Close())
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), controlTime)
	defer cancel()
	err := srv.Shutdown(drain)
	if err != nil {
		err = srv.Close()
	}
	<-served
	os.Remove(controlSocket(&a.cfg.Load().Store))
	return err
}

// aimed is what a provider needs of a device.
type aimed struct {
	Node string `json:"node"`
	session.Registration
	Owner string `json:"owner"`
}

// noted is a line for a record.
type noted struct {
	Owner  string         `json:"owner"`
	Reason session.Reason `json:"reason"`
}

// controlHandler has a desk answer over HTTP.
func controlHandler(d desk) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any, err error) {
		switch {
		case errors.Is(err, errNoDevice):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			json.NewEncoder(w).Encode(v)
		}
	}
	of := func(r *http.Request) (node, account string) {
		q := r.URL.Query()
		return q.Get("node"), q.Get("account")
	}
	mux.HandleFunc("GET "+controlDevices, func(w http.ResponseWriter, r *http.Request) {
		out := json.NewEncoder(w)
		if err := d.devices(r.Context(), r.URL.Query().Get("of"), func(one deviceReport) error { return out.Encode(one) }); err != nil {
			out.Encode(deviceReport{Note: err.Error()}) // the status is gone: who reads this knows by the missing node
		}
	})
	mux.HandleFunc("GET "+controlDevice, func(w http.ResponseWriter, r *http.Request) {
		node, account := of(r)
		one, err := d.device(r.Context(), node, account)
		answer(w, one, err)
	})
	mux.HandleFunc("POST "+controlForget, func(w http.ResponseWriter, r *http.Request) {
		node, account := of(r)
		one, err := d.forget(r.Context(), node, account)
		answer(w, one, err)
	})
	mux.HandleFunc("GET "+controlTarget, func(w http.ResponseWriter, r *http.Request) {
		node, account := of(r)
		reg, owner, err := d.target(r.Context(), node, account)
		answer(w, aimed{reg.Node, reg, owner}, err)
	})
	mux.HandleFunc("GET "+controlRecord, func(w http.ResponseWriter, r *http.Request) {
		since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
		if err != nil {
			http.Error(w, "since when?", http.StatusBadRequest)
			return
		}
		record, err := d.record(r.Context(), r.URL.Query().Get("of"), since)
		answer(w, record, err)
	})
	mux.HandleFunc("POST "+controlNote, func(w http.ResponseWriter, r *http.Request) {
		var n noted
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControl)).Decode(&n); err != nil || n.Owner == "" {
			http.Error(w, "no line for a record", http.StatusBadRequest)
			return
		}
		answer(w, struct{}{}, d.note(r.Context(), n.Owner, n.Reason))
	})
	return mux
}

// servingDesk asks the process that serves.
type servingDesk struct {
	client *http.Client
	path   string
}

// callServing gives the desk of the process that has a store; nil: there is none.
func callServing(ctx context.Context, path string) (desk, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		conn.Close()
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, hint{path + ": permission denied", "ask as the user that rouse runs as: sudo -u rouse rouse …"}
	default:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", path)
	}}
	return servingDesk{&http.Client{Transport: t}, path}, nil
}

func (d servingDesk) name() string { return "the rouse that serves" }
func (d servingDesk) close() error { return nil }

// ask gives the body of an answer.
func (d servingDesk) ask(ctx context.Context, method, path string, q url.Values, body any) (io.ReadCloser, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://rouse"+path+"?"+q.Encode(), bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	resp, err := d.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it has the query
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%s: %w", d.path, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxControl))
	if resp.StatusCode == http.StatusNotFound && string(bytes.TrimSpace(said)) == errNoDevice.Error() {
		return nil, errNoDevice
	}
	return nil, fmt.Errorf("%s: %s", d.path, bytes.TrimSpace(said))
}

// one asks for a single thing.
func (d servingDesk) one(ctx context.Context, method, path, node, account string, body, into any) error {
	answer, err := d.ask(ctx, method, path, url.Values{"node": {node}, "account": {account}}, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	return json.NewDecoder(answer).Decode(into)
}

func (d servingDesk) devices(ctx context.Context, whom string, each func(deviceReport) error) error {
	answer, err := d.ask(ctx, http.MethodGet, controlDevices, url.Values{"of": {whom}}, nil)
	if err != nil {
		return err
	}
	defer answer.Close()
	for in := json.NewDecoder(answer); ; {
		var one deviceReport
		switch err := in.Decode(&one); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case one.Node == "":
			return errors.New(one.Note)
		}
		if err := each(one); err != nil {
			return err
		}
	}
}

func (d servingDesk) device(ctx context.Context, node, account string) (r deviceReport, err error) {
	err = d.one(ctx, http.MethodGet, controlDevice, node, account, nil, &r)
	return r, err
}

func (d servingDesk) forget(ctx context.Context, node, account string) (r deviceReport, err error) {
	err = d.one(ctx, http.MethodPost, controlForget, node, account, nil, &r)
	return r, err
}

func (d servingDesk) target(ctx context.Context, node, account string) (session.Registration, string, error) {
	var a aimed
	err := d.one(ctx, http.MethodGet, controlTarget, node, account, nil, &a)
	a.Registration.Node = a.Node
	return a.Registration, a.Owner, err
}

func (d servingDesk) record(ctx context.Context, account string, since time.Time) (r recordReport, err error) {
	answer, err := d.ask(ctx, http.MethodGet, controlRecord, url.Values{"of": {account}, "since": {since.Format(time.RFC3339Nano)}}, nil)
	if err != nil {
		return r, err
	}
	defer answer.Close()
	return r, json.NewDecoder(answer).Decode(&r)
}

func (d servingDesk) note(ctx context.Context, owner string, r session.Reason) error {
	return d.one(ctx, http.MethodPost, controlNote, "", "", noted{owner, r}, new(struct{}))
}
