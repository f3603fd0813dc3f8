package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func serveCommand() command {
	return command{
		name: "serve", args: "[-c FILE]", about: "do the work: connect to the XMPP server, decide, wake",
		more: "Prints ready, and tells systemd, once store and listeners are up; /readyz and systemctl status say how the link is.\n" +
			"SIGTERM and SIGINT finish what was taken and end; a second one ends at once, and nothing is lost by that.\n" +
			"SIGHUP reads the configuration again; if it is wrong, the old one stays.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			load := configFlags(fs)
			return func(io stdio, args []string) error {
				if err := noArgs("serve", args); err != nil {
					return err
				}
				cfg, path, err := load(io)
				if err != nil {
					return err
				}
				// A second signal cuts: what was answered is durable, what is being
				// sent comes back when its lease ends.
				ctx, stop := stopSignals(context.Background(), io.err)
				defer stop()
				a, err := build(ctx, cfg, io.now, io.err)
				if err != nil {
					return err
				}
				return serve(ctx, a, path, io)
			}
		},
	}
}

// stopSignals gives a context that the first SIGTERM or SIGINT ends; the second ends the process.
func stopSignals(parent context.Context, log io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case <-signals:
				if !first {
					fmt.Fprintln(log, "rouse: cut by a second signal")
					os.Exit(exitFailed)
				}
				cancel()
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// serve runs the app and keeps systemd and the terminal told.
func serve(ctx context.Context, a *app, path string, io stdio) error {
	sd := notifier{socket: io.env("NOTIFY_SOCKET")}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	var helper group
	helper.start(ctx)
	helper.add(func(ctx context.Context) error {
		status := time.NewTicker(5 * time.Second)
		defer status.Stop()
		last := ""
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hup:
				sd.tell("RELOADING=1")
				a.reload(path)
				sd.tell("READY=1")
			case <-status.C:
				if s := a.status().Summary(); s != last {
					sd.tell("STATUS=" + s)
					last = s
				}
			}
		}
	})
	err := a.run(ctx, func() {
		web := "off"
		if a.listener != nil {
			web = a.listener.Addr().String()
		}
		a.log.Info("ready", "version", release, "config", path, "web", web)
		fmt.Fprintln(io.out, "ready")
		sd.tell("READY=1\nSTATUS=" + a.status().Summary())
	})
	sd.tell("STOPPING=1")
	err = errors.Join(err, helper.stop())
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}
