package tigase

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"mellium.im/xmpp/jid"
	xmpp "mellium.im/xmpp/stanza"
)

// maxBody is far more than an account, a provider and a token have.
const maxBody = 16 << 10

// Patterns are where Handler answers, for http.ServeMux: clients ask the service's
// own host, below /rest/push or at its root.
func Patterns(service string) []string {
	return []string{"POST /rest/push/" + unregister + "/" + service, "POST /" + unregister + "/" + service}
}

// Handler ends registrations for clients that have no login any more. Who asks has
// to know the account and its device token. Whether there was such a registration
// is not told: afterwards there is none.
func Handler(r Registrar, log *slog.Logger, providers ...string) http.Handler {
	known := make(map[string]bool)
	for _, p := range providers {
		known[p] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		var q struct {
			Account  string `json:"account"`
			Provider string `json:"provider"`
			Token    string `json:"device-token"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, in.Body, maxBody)).Decode(&q); err != nil {
			answer(w, http.StatusBadRequest, "the body is not the JSON that is expected")
			return
		}
		account, err := jid.Parse(q.Account)
		if err != nil {
			answer(w, http.StatusBadRequest, "account is not a JID")
			return
		}
		device, err := request(account, known, q.Provider, q.Token)
		var refused xmpp.Error
		if errors.As(err, &refused) {
			answer(w, http.StatusBadRequest, refused.Text[""])
			return
		}
		if _, err := r.Unregister(in.Context(), device); err != nil {
			log.Error("a device could not be unregistered by HTTP", "err", err)
			answer(w, http.StatusServiceUnavailable, "not now")
			return
		}
		answer(w, http.StatusOK, "")
	})
}

// answer writes the result; fault: why not.
func answer(w http.ResponseWriter, status int, fault string) {
	body := struct {
		Result string `json:"result"`
		Error  string `json:"error,omitempty"`
	}{"success", fault}
	if fault != "" {
		body.Result = "failure"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}
