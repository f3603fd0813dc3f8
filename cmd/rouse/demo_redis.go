package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"

	"rouse/servers/lab"
)

// onRedis gives a scene a Redis of its own, which writes everything to its disk
// before it answers, as the store.
func (s *scene) onRedis(ctx context.Context) (err error) {
	if s.redis, err = lab.StartRedis(ctx, lab.RedisOptions{Dir: filepath.Join(s.dir, "redis"), Persist: "always"}); err != nil {
		return err
	}
	s.store = fmt.Sprintf("url = %q", s.redis.URL())
	return s.configure()
}

// redisKilled is the step that a story on Redis ends with.
func redisKilled(ctx context.Context, t *teller) error {
	asleep := t.scene.events("hibernated")
	if err := t.phone.Drop(ctx); err != nil {
		return err
	}
	if err := t.event(ctx, "hibernated", asleep+1); err != nil {
		return err
	}
	before := len(t.scene.fcm.Delivered())
	if err := t.scene.redis.Kill(); err != nil {
		return err
	}
	t.say("Redis is killed (SIGKILL): rouse has no store")
	if err := t.write(ctx, "m5", "And now?"); err != nil {
		return err
	}
	if err := t.scene.redis.Start(ctx); err != nil {
		return err
	}
	t.say("Redis is started again, with what is on its disk")
	w, err := t.wakes(ctx, before+1)
	if err != nil {
		return err
	}
	t.say("FCM takes one wake for the phone, %s", t.took(w))
	t.because("mod_rouse repeats what nobody took, and rouse takes nothing that is not stored")
	if _, err := t.phone.Login(ctx); err != nil {
		return err
	}
	_, err = t.phone.AwaitBody(ctx, "And now?")
	return err
}

// killable tells a person what there is to kill.
func (s *scene) killable() string {
	text := fmt.Sprintf("rouse %d, %s %d", s.rouse.Process.Pid, s.server.Name(), s.server.PID())
	if s.redis != nil {
		text += fmt.Sprintf(", Redis %d", s.redis.PID())
	}
	return text
}

// fell deals with the end of rouse: whoever was killed is started again.
func (s *scene) fell(out io.Writer, err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Exited() {
		s.ended <- err
		return fmt.Errorf("rouse ended: %v\n%s", err, s.logTail(10))
	}
	if err := s.launch(); err != nil {
		return err
	}
	fmt.Fprintf(out, "  rouse was killed, and is started again: kill %d\n", s.rouse.Process.Pid)
	return nil
}

// revive starts a server again that was killed.
func (s *scene) revive(ctx context.Context, out io.Writer) error {
	if s.redis != nil && s.redis.Ended() {
		if err := s.redis.Restart(ctx); err != nil {
			return err
		}
		fmt.Fprintf(out, "  Redis was killed, and is started again: kill %d\n", s.redis.PID())
	}
	if s.server.Ended() {
		if err := s.server.Restart(ctx); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s was killed, and is started again: kill %d\n", s.server.Name(), s.server.PID())
	}
	return nil
}
