package web

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"rouse/session"
)

//go:embed overview.html
var overviewHTML string

var overviewTemplate = template.Must(template.New("overview").Parse(overviewHTML))

// overview is the page for a person who wants to know whether all is well.
func (s *Server) overview(w http.ResponseWriter, _ *http.Request) {
	status, now := s.o.Status(), time.Now()
	counts, err := s.o.Metrics.counts.read()
	page := struct {
		Version, Uptime, Late string
		Summary               string
		Parts                 []Part
		Counted               bool
		Pending               int
		Sessions              []row
		Live, Dead            int
	}{
		Version: s.o.Version,
		Uptime:  now.Sub(s.o.Started).Round(time.Second).String(),
		Summary: status.Summary(),
		Parts:   status.parts(),
		Counted: err == nil,
		Pending: counts.Pending,
	}
	if late := now.Sub(counts.OldestDue).Round(time.Second); !counts.OldestDue.IsZero() && late > 0 {
		page.Late = late.String()
	}
	for st := range session.NumStates {
		page.Sessions = append(page.Sessions, row{st.String(), counts.Sessions[st]})
	}
	for k, n := range counts.Endpoints {
		if k.State == Live {
			page.Live += n
		} else {
			page.Dead += n
		}
	}
	var b bytes.Buffer // so that a fault does not leave half a page behind
	if err := overviewTemplate.Execute(&b, page); err != nil {
		s.o.Log.Error("the overview page failed", "err", err)
		http.Error(w, "the page could not be made; the log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}

type row struct {
	Name  string
	Count int
}
