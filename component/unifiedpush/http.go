package unifiedpush

import (
	"errors"
	"io"
	"net/http"
	"strings"
)

// Path is where addresses lie below the base.
const Path = "/push/"

const (
	maxBody   = 4096 // RFC 8030 §7.2
	maxPushes = 32   // under way at once
)

// ServeHTTP takes what an app's server posts to an address. A GET tells that this
// is such an address (UnifiedPush, server discovery).
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"unifiedpush":{"version":1}}`+"\n")
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "a push is a POST", http.StatusMethodNotAllowed)
		return
	}
	// The token comes first: who has none may not keep us busy.
	to, err := t.seal.open(strings.TrimPrefix(r.URL.Path, Path), t.cfg.Now())
	if err != nil {
		http.Error(w, "there is no such address, or not any more", http.StatusNotFound)
		return
	}
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	default:
		later(w, http.StatusTooManyRequests, "too many at once")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, "more than 4096 bytes", http.StatusRequestEntityTooLarge)
		return
	case err != nil || len(body) == 0:
		http.Error(w, "there is no message", http.StatusBadRequest)
		return
	}
	switch o, _ := t.push(r.Context(), to, body); o {
	case taken:
		w.Header().Set("TTL", "0") // nothing is kept (RFC 8030 §5.2)
		w.WriteHeader(http.StatusCreated)
	case gone:
		http.Error(w, "the app is gone", http.StatusNotFound)
	case away:
		later(w, http.StatusServiceUnavailable, "the device is not connected")
	default:
		http.Error(w, "the device did not take it", http.StatusInternalServerError)
	}
}

func later(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Retry-After", "60")
	http.Error(w, text, status)
}
