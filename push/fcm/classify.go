package fcm

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"rouse/push"
)

// quotaDelay is what Google asks for at least after QUOTA_EXCEEDED.
const quotaDelay = time.Minute

// fault is the error of an answer, as far as it decides something.
type fault struct {
	known   bool     // it is an error of a Google API
	status  string   // google.rpc.Code
	code    string   // of the FcmError; empty: there is none
	reason  string   // of the ErrorInfo: which rule of Google's was broken
	fields  []string // of the BadRequest: what is wrong
	message string
}

// parseFault reads the body of an answer that is not 200.
func parseFault(body []byte) fault {
	var doc struct {
		Error *struct {
			Status  string `json:"status"`
			Message string `json:"message"`
			Details []struct {
				Type            string `json:"@type"`
				ErrorCode       string `json:"errorCode"`
				Reason          string `json:"reason"`
				FieldViolations []struct {
					Field string `json:"field"`
				} `json:"fieldViolations"`
			} `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.Error == nil {
		return fault{}
	}
	f := fault{known: true, status: doc.Error.Status, message: doc.Error.Message}
	for _, d := range doc.Error.Details {
		switch d.Type {
		case "type.googleapis.com/google.firebase.fcm.v1.FcmError":
			f.code = d.ErrorCode
		case "type.googleapis.com/google.rpc.ErrorInfo":
			f.reason = d.Reason
		case "type.googleapis.com/google.rpc.BadRequest":
			for _, v := range d.FieldViolations {
				f.fields = append(f.fields, v.Field)
			}
		}
	}
	return f
}

// aboutToken reports whether an INVALID_ARGUMENT is about the token, not about
// the message that we made.
func (f fault) aboutToken() bool {
	if len(f.fields) > 0 {
		for _, field := range f.fields {
			if field != "message.token" {
				return false
			}
		}
		return true
	}
	return strings.Contains(strings.ToLower(f.message), "registration token")
}

const (
	ourMistake  = "this is a mistake in rouse, please report it"
	anyAccount  = "look at credentials_file: the service account must be of the app's Firebase project, enabled, and have the role Firebase Cloud Messaging API Admin"
	anyProject  = "look at project_id in credentials_file, and whether the Firebase Cloud Messaging API is enabled in that project"
	disabledAPI = "enable the Firebase Cloud Messaging API (fcm.googleapis.com) in the Google Cloud console for the project of credentials_file; it takes some minutes"
	otherSender = "if this happens to every device, look at credentials_file: it must be of the project that the app is built with"
	appleSide   = "look at the APNs key or the Web Push key that is stored in the Firebase console"
	ourEndpoint = "if it goes on, look at endpoint: this is not how FCM answers"
)

// classify says what an answer means, by the table of ErrorCode. What may come
// from anything on the way never costs a registration.
func classify(status int, f fault) push.Result {
	switch f.code {
	case "UNREGISTERED":
		return push.Result{Outcome: push.TokenGone}
	case "SENDER_ID_MISMATCH":
		return push.Result{Outcome: push.TokenGone, Doubtful: true, Remedy: otherSender}
	case "INVALID_ARGUMENT":
		return invalid(f)
	case "QUOTA_EXCEEDED":
		return push.Result{Outcome: push.RateLimited, RetryAfter: quotaDelay}
	case "THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR":
		return push.Result{Outcome: push.BadConfig, Remedy: appleSide}
	case "UNAVAILABLE", "INTERNAL", "UNSPECIFIED_ERROR":
		return push.Result{Outcome: push.Unavailable}
	}
	switch {
	case status == http.StatusForbidden && f.reason == "SERVICE_DISABLED":
		return push.Result{Outcome: push.BadConfig, Remedy: disabledAPI}
	case status >= 500:
		return push.Result{Outcome: push.Unavailable}
	case status == http.StatusTooManyRequests:
		return push.Result{Outcome: push.RateLimited, RetryAfter: quotaDelay}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return push.Result{Outcome: push.BadCredentials, Remedy: anyAccount}
	case status == http.StatusNotFound:
		return push.Result{Outcome: push.BadConfig, Remedy: anyProject}
	case status == http.StatusBadRequest && f.known:
		return invalid(f)
	case status >= 400 && f.known:
		return push.Result{Outcome: push.BadRequest, Remedy: ourMistake}
	default:
		return push.Result{Outcome: push.Unavailable, Remedy: ourEndpoint}
	}
}

func invalid(f fault) push.Result {
	if f.aboutToken() {
		return push.Result{Outcome: push.TokenGone}
	}
	return push.Result{Outcome: push.BadRequest, Remedy: ourMistake}
}
