package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"rouse/push/pushtest"
)

func demoCommand() command {
	return command{
		name: "demo", args: "[--server prosody|ejabberd] [--redis] [--once] [--keep]", about: "show a phone that falls asleep and is woken, on a real server",
		more: "Starts a Prosody, or an ejabberd, of its own with mod_rouse, rouse, and stand-ins for APNs and FCM, all on\n" +
			"this machine and in a directory that is removed at the end; plays the story; then stays up for a client of yours.\n" +
			"No service of this machine is started, stopped or changed.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			var on string
			fs.StringVar(&on, "server", prosodyServer, "tell the story on `WHICH`: prosody or ejabberd")
			once := fs.Bool("once", false, "end after the story; exit 0 only if every step was seen to happen")
			redis := fs.Bool("redis", false, "keep the state in a Redis that is started for it, and kill that too")
			keep := fs.Bool("keep", false, "keep the directory with all logs")
			return func(io stdio, args []string) error {
				if err := noArgs("demo", args); err != nil {
					return err
				}
				start, ok := demoServers[on]
				if !ok {
					return usage{text: fmt.Sprintf("demo: unknown server %q", on), hint: "prosody or ejabberd"}
				}
				ctx, stop := stopSignals(context.Background(), io.err)
				defer stop()
				return demo(ctx, io, start, *redis, *once, *keep)
			}
		},
	}
}

// The accounts of the demo.
const (
	demoHost     = "example.test"
	demoPassword = "demo"
)

// demoServer is a server that the story can be told on.
type demoServer struct {
	name  string // with its article
	start func(ctx context.Context, dir string, w wish) (server, error)
}

var demoServers = map[string]demoServer{
	prosodyServer: {"a Prosody", func(ctx context.Context, dir string, w wish) (server, error) {
		return startProsody(ctx, dir, w.prosody())
	}},
	ejabberdServer: {"an ejabberd", func(ctx context.Context, dir string, w wish) (server, error) {
		return startEjabberd(ctx, dir, "", w.ejabberd())
	}},
}

func demo(ctx context.Context, io stdio, on demoServer, redis, once, keep bool) (err error) {
	dir, err := os.MkdirTemp("", "rouse-demo-")
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "Starting %s with mod_rouse, rouse, and stand-ins for Apple's and Google's push services …\n", on.name)
	s, err := demoScene(ctx, dir, program, on)
	if err != nil {
		os.RemoveAll(dir)
		return err
	}
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
		if keep || err != nil {
			log, _ := filepath.Rel(dir, s.server.LogFile())
			fmt.Fprintf(io.out, "The logs are in %s: rouse.log, %s\n", dir, log)
			return
		}
		os.RemoveAll(dir)
	}()
	t := &teller{out: io.out, scene: s, steps: story}
	if redis {
		if err := s.onRedis(ctx); err != nil {
			return err
		}
		t.steps = append(story[:len(story):len(story)], step{"Redis is killed, and comes back", redisKilled})
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := t.tell(ctx); err != nil {
		return err
	}
	fmt.Fprintf(io.out, "\nAll %d steps were seen to happen, in %.1f s.\n", len(t.steps), time.Since(t.begun).Seconds())
	if once {
		return nil
	}
	return stay(ctx, io.out, s)
}

// demoScene sets the scene, without rouse.
func demoScene(ctx context.Context, dir, program string, on demoServer) (*scene, error) {
	s, err := on.start(ctx, dir, wish{
		host: demoHost, ackDelay: 5 * time.Second,
		users: map[string]string{"juliet": demoPassword, "romeo": demoPassword, "you": demoPassword},
	})
	if err != nil {
		return nil, err
	}
	return newSceneOn(s, dir, []string{program}, nil)
}

// stay keeps the scene up for a person's own client, and shows every wake.
func stay(ctx context.Context, out io.Writer, s *scene) error {
	fmt.Fprintf(out, `
Everything stays up until you press Ctrl-C. To be woken yourself:
  account      you@%[1]s, password %[2]s
  server       %[3]s, without encryption (it is a test server)
  push service %[4]s: clients of the Conversations family find it there, as ad-hoc command
               register-push-fcm, and this is a token that the stand-in for FCM takes:
               %[8]s
  rouse        http://%[5]s/ (status), /metrics
  logs         %[6]s
Whatever you kill is started again, and nothing is lost: %[7]s

Wakes from now on:
`, demoHost, demoPassword, s.server.ClientAddr(), s.server.Rouse().JID, s.web, filepath.Join(s.dir, "rouse.log"), s.killable(), pushtest.FCMToken("you"))
	providers := []func() []pushtest.Received{s.fcm.Delivered, s.apns.Delivered}
	shown := []int{len(s.fcm.Delivered()), len(s.apns.Delivered())}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(out, "\nClosing.")
			return nil
		case err := <-s.ended:
			if err := s.fell(out, err); err != nil {
				return err
			}
		case <-tick.C:
			if err := s.revive(ctx, out); err != nil && ctx.Err() == nil {
				return err
			}
			for i, delivered := range providers {
				all := delivered()
				for _, w := range all[shown[i]:] {
					fmt.Fprintf(out, "  %s  a wake, priority %s, for device %.8s…\n", w.At.Format(time.TimeOnly), w.Priority, w.Account)
				}
				shown[i] = len(all)
			}
		}
	}
}
