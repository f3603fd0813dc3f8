package main

import (
	"strings"

	"rouse/config"
)

// reload takes over what can be taken over while running. On any error the old
// configuration stays.
func (a *app) reload(path string) {
	next, err := config.Load(path)
	if err != nil {
		a.log.Error("the configuration was not reloaded; the old one stays", "err", err)
		return
	}
	if keys := config.NeedRestart(a.cfg.Load(), next); len(keys) > 0 {
		a.log.Warn("some settings take effect at the next start only", "settings", strings.Join(keys, ", "))
	}
	running := *a.cfg.Load()
	running.Log.Level, running.Rules = next.Log.Level, next.Rules
	a.level.Set(next.Log.SlogLevel())
	a.cfg.Store(&running)
	a.log.Info("the configuration was reloaded", "file", path)
}
