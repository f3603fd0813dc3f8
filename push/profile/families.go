package profile

import (
	"strings"

	"rouse/push"
	"rouse/session"
)

// Alert is a text that is shown.
type Alert struct {
	Title string `json:"title"`
	Body  string `json:"body"`
}

// general are the texts that give nothing away.
var general = map[session.Class]Alert{
	session.Subscription: {Title: "New contact", Body: "Somebody wants to be your contact"},
	session.Invitation:   {Title: "Invitation", Body: "Somebody asks you into a group"},
	session.Group:        {Title: "New message", Body: "There is something new in a group"},
	session.Mention:      {Title: "New message", Body: "Somebody named you in a group"},
	session.Message:      {Title: "New message", Body: "You have a new message"},
	session.Call:         {Title: "Call", Body: "Somebody is calling you"},
}

// text is what a push shows; false: it is silent.
func (f *format) text(n push.Notification) (Alert, bool) {
	switch {
	case n.Content.Notice:
		return Alert{Title: n.Content.Sender, Body: n.Content.Body}, true
	case !n.Class.Shown():
		return Alert{}, false
	case f.alert != nil:
		return f.alert(n), true
	}
	return general[n.Class], true
}

func nothing(push.Notification) map[string]any { return map[string]any{} }

// hashedAccount is p2's: the client compares account with its own hash of bare
// JID and device, so no JID leaves the server.
func hashedAccount(n push.Notification) map[string]any {
	keys := map[string]any{"account": n.Target.Device}
	if n.Content.Channel != "" {
		keys["channel"] = n.Content.Channel
	}
	return keys
}

// monalAlert is fpush's: Monal replaces it, and fetches what is new.
func monalAlert(push.Notification) Alert {
	return Alert{Title: "New Message", Body: "New Message?"}
}

// siskinKeys are the Tigase component's. The app looks for account first; without
// it, it shows the general text as it came.
func siskinKeys(n push.Notification) map[string]any {
	keys := make(map[string]any)
	account := n.Content.Account
	if account == "" && strings.Contains(n.Owner, "@") {
		account = n.Owner // an account of ours; otherwise it names a registration
	}
	if account == "" {
		return keys
	}
	keys["account"] = account
	c := n.Content
	if c.Encrypted != "" && c.IV != "" {
		keys["encrypted"], keys["iv"] = c.Encrypted, c.IV
		return keys
	}
	for key, value := range map[string]string{"sender": c.Sender, "nickname": c.Nickname, "body": c.Body} {
		if value != "" {
			keys[key] = value
		}
	}
	switch {
	case n.Class.Shown():
		keys["unread-messages"] = n.Count
	case c.Read:
		keys["unread-messages"] = 0 // has the app clear what it shows
	}
	return keys
}

// mongooseAlert is MongooseIM's: the sender above the text, where they are known.
func mongooseAlert(n push.Notification) Alert {
	a := general[n.Class]
	if n.Content.Sender != "" {
		a.Title = n.Content.Sender
	}
	if n.Content.Body != "" {
		a.Body = n.Content.Body
	}
	return a
}

// mongooseKeys are the summary of XEP-0357, which MongooseIM passes on as it is
// where nothing is shown.
func mongooseKeys(n push.Notification) map[string]any {
	keys := make(map[string]any)
	if n.Class.Shown() {
		return keys
	}
	keys["message-count"] = n.Count
	for key, value := range map[string]string{"last-message-sender": n.Content.Sender, "last-message-body": n.Content.Body} {
		if value != "" {
			keys[key] = value
		}
	}
	return keys
}
