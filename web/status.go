package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// State is how a part of rouse is.
type State string

const (
	Starting   State = "starting"
	Up         State = "up"
	StandingBy State = "standing by"   // another process holds the link; this one would take over
	Retrying   State = "being retried" // it was lost or never came up; the cause says why
	Down       State = "down"
	Unused     State = "not configured"
)

// Part is one part of rouse and how it is.
type Part struct {
	Name  string    `json:"name"`
	State State     `json:"state"`
	Cause string    `json:"cause,omitempty"` // why it is not up; for the operator, holds no secret
	Since time.Time `json:"since,omitzero"`
}

// Status is how rouse is as a whole.
type Status struct {
	Draining  bool   `json:"draining"`
	Store     Part   `json:"store"`
	Link      Part   `json:"link"`
	Listeners []Part `json:"listeners,omitempty"`
	Apps      []Part `json:"apps,omitempty"` // do not decide about readiness: one app's key is not everybody's fault
}

// Ready reports whether rouse does its job: store and listeners are up, and the
// link is up, standing by, being retried or not wanted; and it is not draining.
func (s Status) Ready() bool {
	if s.Draining || s.Store.State != Up {
		return false
	}
	for _, l := range s.Listeners {
		if l.State != Up {
			return false
		}
	}
	switch s.Link.State {
	case Up, StandingBy, Retrying, Unused:
		return true
	}
	return false
}

// Summary is the status in a few words, for one line.
func (s Status) Summary() string {
	switch {
	case s.Draining:
		return "draining"
	case s.Ready() && s.Link.State == StandingBy && s.Link.Cause != "":
		return "ready, link standing by: " + s.Link.Cause
	case s.Ready():
		return "ready, link " + string(s.Link.State)
	}
	return "not ready"
}

func (s Status) parts() []Part {
	parts := []Part{s.Store, s.Link}
	parts[0].Name, parts[1].Name = "store", "link"
	parts = append(parts, s.Listeners...)
	return append(parts, s.Apps...)
}

// text is the status for people, one part a line.
func (s Status) text() string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Summary())
	for _, p := range s.parts() {
		line := fmt.Sprintf("%-20s %s", p.Name, p.State)
		if p.Cause != "" {
			line += ": " + p.Cause
		}
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

// readyz answers in text, or in JSON to those who accept nothing but that.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	status := s.o.Status()
	code := http.StatusServiceUnavailable
	if status.Ready() {
		code = http.StatusOK
	}
	h := w.Header()
	h.Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.WriteHeader(code)
		fmt.Fprint(w, status.text())
		return
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	if err := enc.Encode(struct {
		Ready   bool   `json:"ready"`
		Version string `json:"version"`
		Status
	}{status.Ready(), s.o.Version, status}); err != nil {
		s.o.Log.Debug("status was not sent", "err", err)
	}
}
