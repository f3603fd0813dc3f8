package fcm

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"rouse/push/h2"
)

// transport puts the access token on a request, and keeps the SDK from trying
// again by itself: that is our schedule's business. The SDK repeats what failed
// without an answer, and what was answered 503, four times. Here it sees a 500
// with the same body instead, which it takes for final; how it really went
// stands in the note of the context.
type transport struct {
	base   *h2.Transport
	tokens *tokens
}

// trace is what a send finds out beside the note.
type trace struct {
	bearer string
	grant  error // there is no access token
}

type traceKey struct{}

func tracing(ctx context.Context) (context.Context, *trace) {
	t := new(trace)
	return context.WithValue(ctx, traceKey{}, t), t
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	seen, _ := r.Context().Value(traceKey{}).(*trace)
	if seen == nil {
		seen = new(trace)
	}
	token, err := t.tokens.get(r.Context())
	if err != nil {
		seen.grant = err
		return final(r), nil
	}
	seen.bearer = token.AccessToken
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return final(r), nil
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		resp.StatusCode = http.StatusInternalServerError
	}
	return resp, nil
}

// final is an answer that the SDK does not try to better.
func final(r *http.Request) *http.Response {
	return &http.Response{StatusCode: http.StatusInternalServerError, Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(nil)), Request: r}
}

var _ http.RoundTripper = (*transport)(nil)

// CloseIdleConnections lets http.Client close them.
func (t *transport) CloseIdleConnections() { t.base.CloseIdleConnections() }
