package emit

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"time"

	"rouse/notice"
)

// Path is where notices are given.
const Path = "/v1/notices"

// Config is what a handler works with.
type Config struct {
	Token  string // that has to come along; empty: none, whoever can connect may
	Add    func(ctx context.Context, at time.Time, list ...notice.Notice) (fresh int, err error)
	Person func(user string) notice.Person
	Fresh  func() // there are new notices
	Now    func() time.Time
	Logger *slog.Logger
}

// Answer is what is answered of what was taken. Its names are stable.
type Answer struct {
	IDs   []string `json:"ids"`   // of the notices
	Fresh int      `json:"fresh"` // how many of them are new
}

// Handler takes notices: POST /v1/notices.
func Handler(c Config) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST a CloudEvent", http.StatusMethodNotAllowed)
			return
		}
		if c.Token != "" && !carries(r, c.Token) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the token is missing, or another", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			http.Error(w, fmt.Sprintf("that is more than %d bytes", MaxBytes), http.StatusRequestEntityTooLarge)
			return
		case err != nil:
			return // who asked is gone
		}
		events, status, err := read(r.Header, body)
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		now := c.Now()
		var list []notice.Notice
		answer := Answer{IDs: []string{}}
		for i := range events {
			n, err := events[i].notice(now, c.Person)
			if err != nil {
				http.Error(w, fmt.Sprintf("event %d: %v", i+1, err), http.StatusBadRequest)
				return
			}
			list = append(list, n)
			answer.IDs = append(answer.IDs, n.ID)
		}
		if answer.Fresh, err = c.Add(r.Context(), now, list...); err != nil {
			c.Logger.Error("notices that were given cannot be kept, answered 503", "err", err)
			w.Header().Set("Retry-After", "10")
			http.Error(w, "that cannot be kept now", http.StatusServiceUnavailable)
			return
		}
		if answer.Fresh > 0 {
			c.Fresh()
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		json.NewEncoder(w).Encode(answer)
	})
}

// carries reports whether a request has the token. How long that takes says nothing
// about it.
func carries(r *http.Request, token string) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(scheme, "bearer")
}

// read gives the events of a request, in whichever content mode it is.
func read(h http.Header, body []byte) (list []Event, status int, err error) {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return nil, http.StatusUnsupportedMediaType, errors.New("Content-Type is missing: application/cloudevents+json")
	}
	switch {
	case kind == "application/cloudevents-batch+json":
		var raw []json.RawMessage
		if err := json.Unmarshal(body, &raw); err != nil {
			return nil, http.StatusBadRequest, fmt.Errorf("that is no list of events: %w", clear(err))
		}
		if len(raw) > maxBatch {
			return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("these are more than %d events", maxBatch)
		}
		for i, one := range raw {
			e, err := parse(one)
			if err != nil {
				return nil, http.StatusBadRequest, fmt.Errorf("event %d: %w", i+1, err)
			}
			list = append(list, e)
		}
		return list, 0, nil
	case kind == "application/cloudevents+json", kind == "application/json" && h.Get("ce-specversion") == "":
		e, err := parse(body)
		if err != nil {
			return nil, http.StatusBadRequest, fmt.Errorf("that %w", err)
		}
		return []Event{e}, 0, nil
	case kind == "application/json":
		return binary(h, body)
	}
	return nil, http.StatusUnsupportedMediaType, fmt.Errorf("%.60s is not taken: application/cloudevents+json", kind)
}

// binary reads an event whose attributes are in the header.
func binary(h http.Header, body []byte) ([]Event, int, error) {
	e := Event{SpecVersion: h.Get("ce-specversion"), ID: h.Get("ce-id"), Source: h.Get("ce-source"), Type: h.Get("ce-type"), Subject: h.Get("ce-subject"), Data: &Data{}}
	if at := h.Get("ce-time"); at != "" {
		var err error
		if e.Time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, http.StatusBadRequest, errors.New("ce-time is no time (RFC 3339)")
		}
	}
	if err := json.Unmarshal(body, e.Data); err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("the data is not understood: %w", clear(err))
	}
	return []Event{e}, 0, nil
}
