package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"rouse/config"
)

func statusCommand() command {
	return command{
		name: "status", args: "[-c FILE] [--json]", about: "say how the processes are, who has the link, and what is owed",
		more: "Asks the rouse that runs with this configuration, at web.listen. If none answers and the store is a Redis,\n" +
			"the store is asked, which knows of the processes on other machines. Exits 1 if no rouse works on the store.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			load := configFlags(fs)
			asJSON := fs.Bool("json", false, "as one JSON object")
			return func(io stdio, args []string) error {
				if err := noArgs("status", args); err != nil {
					return err
				}
				cfg, _, err := load(io)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(context.Background(), statusTime)
				defer cancel()
				r, err := fleetStatus(ctx, cfg)
				if err != nil {
					return err
				}
				if *asJSON {
					err = json.NewEncoder(io.out).Encode(r)
				} else {
					r.write(io.out)
				}
				if err == nil && !r.working() {
					err = hint{"no rouse works on this store", "systemctl start rouse"}
				}
				return err
			}
		},
	}
}

const (
	statusTime = 10 * time.Second // for all of it
	maxReport  = 1 << 20          // bytes of an answer; a process is some hundred
)

// hint is an error with its remedy.
type hint struct{ text, remedy string }

func (h hint) Error() string { return h.text }
func (h hint) Hint() string  { return h.remedy }

// fleetStatus asks the running process, or else the store.
func fleetStatus(ctx context.Context, cfg *config.Config) (fleetReport, error) {
	absent := "web.listen is empty, so that nobody can be asked"
	if listen := cfg.Web.Listen; listen != "" {
		r, err := askProcess(ctx, callable(listen))
		var dial *net.OpError
		if !errors.As(err, &dial) || dial.Op != "dial" {
			return r, err
		}
		absent = "nothing answers on " + callable(listen)
	}
	if cfg.Store.Redis == nil {
		return fleetReport{}, hint{"rouse does not run here: " + absent, "systemctl start rouse; if it runs with another configuration, name that with -c"}
	}
	st, err := openStore(ctx, &cfg.Store)
	if err != nil {
		return fleetReport{}, err
	}
	r, err := reportFleet(ctx, st, cfg.Store.Name, time.Now())
	return r, errors.Join(err, st.Close())
}

// callable is an address to call for one to listen on: who listens on all
// addresses of a machine does so on its loopback.
func callable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

// askProcess asks the process that listens on an address of this machine.
func askProcess(ctx context.Context, address string) (r fleetReport, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/status.json", nil)
	if err != nil {
		return r, err
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return r, fmt.Errorf("%s: %w", address, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReport))
	if err != nil {
		return r, fmt.Errorf("%s: %w", address, err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err = json.Unmarshal(body, &r); err == nil && !r.At.IsZero() {
			return r, nil
		}
	case http.StatusServiceUnavailable:
		line, _, _ := strings.Cut(string(body), "\n")
		return r, errors.New(address + ": " + line)
	}
	return fleetReport{}, hint{address + ": what listens there is not a rouse of this version", "is web.listen the one of the running rouse, and was it restarted after the upgrade?"}
}
