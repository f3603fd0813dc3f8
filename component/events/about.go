package events

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"rouse/component/stanza"
)

// About is what a server module says of itself and its server (docs/events.md,
// "About"). What it does not say is empty.
type About struct {
	Module   string // version of the module
	Software string // of the server, and its version
	Version  string
	Clock    time.Time
	Waiting  int               // events in its queue
	Taken    time.Time         // when a batch was last taken
	Away     bool              // the server's own push module does the work
	Beside   map[string]bool   // modules of the server that are loaded on the host
	Settings map[string]string // by name; times in seconds
}

// About asks a host.
func (r *Requests) About(ctx context.Context, host string) (About, error) {
	e, err := r.request(ctx, "get", host, stanza.Element{Space: NS, Name: "about"})
	if err != nil {
		return About{}, err
	}
	about := e.Child(NS, "about")
	if about == nil {
		return About{}, fmt.Errorf("%s answered without an <about/>", host)
	}
	return parseAbout(about), nil
}

func parseAbout(e *stanza.Element) About {
	waiting, _ := strconv.Atoi(e.Get("waiting"))
	a := About{
		Module: e.Get("module"), Software: e.Get("software"), Version: e.Get("version"),
		Clock: millis(e.Get("t")), Waiting: waiting, Taken: millis(e.Get("taken")), Away: e.Get("away") == "true",
		Beside: make(map[string]bool), Settings: make(map[string]string),
	}
	for i := range e.Children {
		switch c := &e.Children[i]; {
		case c.Is(NS, "beside"):
			a.Beside[c.Get("name")] = true
		case c.Is(NS, "setting"):
			a.Settings[c.Get("name")] = c.Get("value")
		}
	}
	return a
}

// millis reads milliseconds since 1970; what is none is no time.
func millis(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// Seconds gives a setting that is a time; false where it is not told.
func (a About) Seconds(setting string) (time.Duration, bool) {
	n, err := strconv.ParseFloat(a.Settings[setting], 64)
	return time.Duration(n * float64(time.Second)), err == nil
}
