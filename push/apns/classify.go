package apns

import (
	"net/http"

	"rouse/push"
)

// answer is what a reason of Apple's means to us.
type answer struct {
	outcome  push.Outcome
	doubtful bool // would be said of every token if topic or environment were wrong
	remedy   string
}

const (
	ourMistake = "this is a mistake in rouse, please report it"
	anyKey     = "look at key_id, team_id and key_file: they must belong to one key of one team"
)

// reasons is the table of "Handling notification responses from APNs", with
// those that Apple added later.
var reasons = map[string]answer{
	// 400
	"BadDeviceToken": {outcome: push.TokenGone, doubtful: true,
		remedy: "if this happens to every device, look at environment: development builds have sandbox tokens, all others production"},
	"DeviceTokenNotForTopic": {outcome: push.TokenGone, doubtful: true,
		remedy: "if this happens to every device, look at topic: it must be the bundle id of the app"},
	"MissingDeviceToken": {outcome: push.BadRequest, remedy: ourMistake},
	"PayloadEmpty":       {outcome: push.BadRequest, remedy: ourMistake},
	"BadMessageId":       {outcome: push.BadRequest, remedy: ourMistake},
	"BadExpirationDate":  {outcome: push.BadRequest, remedy: ourMistake},
	"BadPriority":        {outcome: push.BadRequest, remedy: ourMistake},
	"BadCollapseId":      {outcome: push.BadRequest, remedy: ourMistake},
	"DuplicateHeaders":   {outcome: push.BadRequest, remedy: ourMistake},
	"InvalidPushType":    {outcome: push.BadRequest, remedy: ourMistake},
	"BadTopic":           {outcome: push.BadConfig, remedy: "look at topic: it must be the bundle id of the app"},
	"MissingTopic":       {outcome: push.BadConfig, remedy: "set topic to the bundle id of the app"},
	"TopicDisallowed":    {outcome: push.BadConfig, remedy: "look at topic: the key's team, or the certificate, may not push to it"},
	"IdleTimeout":        {outcome: push.Unavailable},

	// 403
	"BadCertificate":             {outcome: push.BadCredentials, remedy: "look at certificate_file: Apple does not know it"},
	"BadCertificateEnvironment":  {outcome: push.BadCredentials, remedy: "look at environment: the certificate is for the other one"},
	"ExpiredProviderToken":       {outcome: push.BadCredentials, remedy: "look at this machine's clock: a provider token that is young by it is too old for Apple"},
	"InvalidProviderToken":       {outcome: push.BadCredentials, remedy: anyKey},
	"MissingProviderToken":       {outcome: push.BadCredentials, remedy: "set key_file with key_id and team_id, or certificate_file"},
	"UnrelatedKeyIdInToken":      {outcome: push.BadCredentials, remedy: "look at key_id and topic: the key is restricted to other topics"},
	"BadEnvironmentKeyIdInToken": {outcome: push.BadCredentials, remedy: "look at key_id and environment: the key is for the other environment"},
	"Forbidden":                  {outcome: push.BadCredentials, remedy: anyKey},

	// 404, 405
	"BadPath":          {outcome: push.BadRequest, remedy: ourMistake},
	"MethodNotAllowed": {outcome: push.BadRequest, remedy: ourMistake},

	// 410
	"Unregistered": {outcome: push.TokenGone},
	"ExpiredToken": {outcome: push.TokenGone},

	// 413
	"PayloadTooLarge": {outcome: push.BadRequest, remedy: ourMistake},

	// 429
	"TooManyRequests": {outcome: push.RateLimited},
	"TooManyProviderTokenUpdates": {outcome: push.Unavailable,
		remedy: "the key is used by another program too; give rouse a key of its own"},

	// 500, 503
	"InternalServerError": {outcome: push.Unavailable},
	"ServiceUnavailable":  {outcome: push.Unavailable},
	"Shutdown":            {outcome: push.Unavailable},
}

// classify says what an answer means. Without a reason that Apple documents,
// only the status speaks, and an answer that may come from anything on the way
// never costs a registration.
func classify(status int, reason string) answer {
	if status == http.StatusOK {
		return answer{outcome: push.Delivered}
	}
	a, known := reasons[reason]
	if known && believable(a.outcome, status) {
		return a
	}
	switch {
	case status == http.StatusGone && reason != "":
		return answer{outcome: push.TokenGone}
	case status == http.StatusTooManyRequests:
		return answer{outcome: push.RateLimited}
	case status == http.StatusForbidden:
		return answer{outcome: push.BadCredentials, remedy: anyKey}
	case status == http.StatusRequestEntityTooLarge, status == http.StatusMethodNotAllowed,
		(status == http.StatusBadRequest || status == http.StatusNotFound) && reason != "":
		return answer{outcome: push.BadRequest, remedy: ourMistake}
	default:
		return answer{outcome: push.Unavailable, remedy: "if it goes on, look at endpoint: this is not how APNs answers"}
	}
}

func believable(o push.Outcome, status int) bool {
	if o == push.TokenGone {
		return status == http.StatusBadRequest || status == http.StatusGone
	}
	return true
}
