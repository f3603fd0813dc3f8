package main

import (
	"errors"
	"strings"

	"rouse/config"
)

// reload takes over what can be taken over while running. On any error the old
// configuration stays.
func (a *app) reload(path string) {
	next, err := config.Load(path)
	if err != nil {
		const kept = "the configuration was not reloaded; the old one stays"
		var mistakes config.Errors
		if !errors.As(err, &mistakes) {
			a.log.Error(kept, "err", err)
		}
		for _, m := range mistakes {
			a.log.Error(kept, "err", m, "hint", m.Hint)
		}
		return
	}
	if keys := config.NeedRestart(a.cfg.Load(), next); len(keys) > 0 {
		a.log.Warn("some settings take effect at the next start only", "settings", strings.Join(keys, ", "))
	}
	running := *a.cfg.Load()
	running.Log.Level, running.Rules, running.Relay = next.Log.Level, next.Rules, next.Relay
	a.level.Set(next.Log.SlogLevel())
	a.cfg.Store(&running)
	a.log.Info("the configuration was reloaded", "file", path)
}
