package webpush

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"rouse/push"
)

// fault is what the body of an answer adds to its status.
type fault struct {
	word    string // the service's own, for the record; empty: there is none
	refused bool   // it is about our key or token, whatever the status
}

// refusals are the words for a token that is refused, or for a subscription that
// was made for another key, by Apple and by FCM.
var refusals = []string{"VapidPkHashMismatch", "BadJwtToken", "BadAuthorizationHeader", "UnauthorizedRegistration"}

// notOurs is what FCM and WNS say in plain text of a subscription for another key.
const notOurs = "do not correspond to the credentials used to create"

// parseFault reads the body of an answer: Apple's JSON has a reason, Mozilla's an
// errno; others write a sentence.
func parseFault(body []byte) fault {
	var doc struct {
		Reason string `json:"reason"`
		Errno  int    `json:"errno"`
	}
	json.Unmarshal(body, &doc) // the status alone will do
	f := fault{word: word(doc.Reason)}
	if f.word == "" && doc.Errno > 0 {
		f.word = "errno " + strconv.Itoa(doc.Errno)
	}
	text := string(body)
	for _, r := range refusals {
		if strings.Contains(text, r) {
			f.word, f.refused = r, true
		}
	}
	if strings.Contains(text, notOurs) {
		f.word, f.refused = "made for another key", true
	}
	return f
}

const (
	ourMistake = "this is a mistake in rouse, please report it"
	anyKey     = "look at vapid_key_file: apps must subscribe with the public key that rouse check prints; at contact; and at this machine's clock"
	otherKey   = "the key works elsewhere: if it is this device alone, its app must subscribe again, with the public key that rouse check prints"
	noService  = "this is not how a push service answers; if it goes on, the app has a wrong endpoint"
	notPublic  = "nothing to do, unless the push service is your own: then allow_private = true"
)

// classify says what an answer means: RFC 8030 §5, §7.3 and §8.4, RFC 8292 §4.2,
// and what Apple, Google, Microsoft and Mozilla document.
func classify(status int, f fault) push.Result {
	if f.refused && status >= 400 && status < 500 && status != http.StatusNotFound && status != http.StatusGone {
		return push.Result{Outcome: push.BadCredentials, Remedy: anyKey}
	}
	switch status {
	case http.StatusCreated, http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return push.Result{Outcome: push.Delivered}
	case http.StatusNotFound, http.StatusGone:
		return push.Result{Outcome: push.TokenGone}
	case http.StatusUnauthorized, http.StatusForbidden:
		return push.Result{Outcome: push.BadCredentials, Remedy: anyKey}
	case http.StatusTooManyRequests, http.StatusNotAcceptable: // 406: WNS is throttling
		return push.Result{Outcome: push.RateLimited}
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return push.Result{Outcome: push.BadRequest, Remedy: ourMistake}
	}
	if status >= 500 {
		return push.Result{Outcome: push.Unavailable}
	}
	return push.Result{Outcome: push.Unavailable, Remedy: noService}
}

// word keeps of a reason what can stand in records: Apple's are single words.
func word(reason string) string {
	for i, c := range reason {
		if i >= 64 || (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return reason[:i]
		}
	}
	return reason
}
