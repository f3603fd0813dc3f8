package fcm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// The bounds of fetching access tokens.
const (
	fetchTime  = 15 * time.Second
	fetchAgain = time.Second     // not sooner after a failure
	fetchEarly = 2 * time.Minute // before the token ends
)

// tokens holds the access token that all sends share. Unlike those of
// golang.org/x/oauth2 it keeps the deadline of each send: they wait for one
// fetch together, and none longer than it may.
type tokens struct {
	fetch func(context.Context) (*oauth2.Token, error)
	now   func() time.Time

	mu      sync.Mutex
	token   *oauth2.Token
	err     error     // of the last fetch
	failed  time.Time // when that was
	pending chan struct{}
	closed  bool
	tasks   sync.WaitGroup
}

// get gives a token that is good now.
func (t *tokens) get(ctx context.Context) (*oauth2.Token, error) {
	for first := true; ; first = false {
		t.mu.Lock()
		now := t.now()
		switch {
		case t.token != nil && t.token.Expiry.Add(-fetchEarly).After(now):
			defer t.mu.Unlock()
			return t.token, nil
		case t.err != nil && (!first || now.Sub(t.failed) < fetchAgain):
			defer t.mu.Unlock()
			if t.token != nil && t.token.Expiry.After(now) {
				return t.token, nil
			}
			return nil, t.err
		case t.closed:
			defer t.mu.Unlock()
			return nil, errors.New("the provider is closed")
		case t.pending == nil:
			t.pending = make(chan struct{})
			t.tasks.Go(t.refresh)
		}
		pending := t.pending
		t.mu.Unlock()
		select {
		case <-pending:
		case <-ctx.Done():
			return nil, fmt.Errorf("no access token in time: %w", ctx.Err())
		}
	}
}

func (t *tokens) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	token, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err, t.failed = err, t.now(); err == nil {
		t.token = token
	}
	close(t.pending)
	t.pending = nil
}

// drop forgets a token that was refused, unless there is a newer one.
func (t *tokens) drop(access string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != nil && t.token.AccessToken == access {
		t.token = nil
	}
}

// close waits for a fetch under way.
func (t *tokens) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.tasks.Wait()
}

// grantError is a refusal of the token endpoint (RFC 6749 §5.2).
type grantError struct {
	status int
	code   string
	text   string
}

func (e *grantError) Error() string {
	return fmt.Sprintf("the token endpoint answers %d %s %s", e.status, e.code, e.text)
}

// ours reports whether the account is refused, not the service in trouble.
func (e *grantError) ours() bool {
	return e.status >= 400 && e.status < 500 && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
}

func asGrantError(err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return err
	}
	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	json.Unmarshal(refused.Body, &body) // the status alone will do
	return &grantError{status: refused.Response.StatusCode, code: word(body.Error), text: body.Description}
}
