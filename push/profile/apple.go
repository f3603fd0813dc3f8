package profile

import (
	"encoding/json"

	"rouse/push"
)

// Kind is what APNs calls a push type.
type Kind string

const (
	Shown      Kind = "alert"
	Background Kind = "background"
	VoIP       Kind = "voip"
)

// ApplePush is a push for APNs.
type ApplePush struct {
	Token   string // the device's, or its second one
	Kind    Kind
	Payload []byte
}

type aps struct {
	Alert            *Alert `json:"alert,omitempty"`
	Badge            int    `json:"badge,omitempty"`
	Sound            string `json:"sound,omitempty"`
	MutableContent   int    `json:"mutable-content,omitempty"`
	ContentAvailable int    `json:"content-available,omitempty"`
}

// Apple makes a push for APNs. With voip, calls are VoIP pushes; they are so too
// where the device registered a token for them.
func (p Profile) Apple(n push.Notification, voip bool) (ApplePush, error) {
	f := p.format()
	if token, ok := f.calls(n, voip); ok {
		n, err := fit(n, VoIPLimit, func(n push.Notification) int { return len(f.payload(n, aps{})) })
		if _, still := f.calls(n, voip); still || err != nil {
			return ApplePush{Token: token, Kind: VoIP, Payload: f.payload(n, aps{})}, err
		}
	}
	dictionary := func(n push.Notification) aps {
		text, shown := f.text(n)
		if !shown {
			return aps{ContentAvailable: 1}
		}
		a := aps{Alert: &text, Sound: "default"}
		if f.badge {
			a.Badge = n.Count
		}
		if f.rewrites && !n.Content.Notice {
			a.MutableContent = 1 // what runs the extension; content-available alone never does
		}
		return a
	}
	n, err := fit(n, AppleLimit, func(n push.Notification) int { return len(f.payload(n, dictionary(n))) })
	out := ApplePush{Token: n.Target.Token, Kind: Background, Payload: f.payload(n, dictionary(n))}
	if _, shown := f.text(n); shown {
		out.Kind = Shown
	}
	return out, err
}

// calls gives the token that a VoIP push goes to. An app that registered a second
// token takes VoIP pushes there and nowhere else; and one that is woken so has to
// report a call at once, which Siskin can only with what the server encrypted.
func (f *format) calls(n push.Notification, voip bool) (token string, ok bool) {
	switch {
	case !n.Class.Rings():
		return "", false
	case f.second && (n.Content.CallToken == "" || n.Content.Encrypted == "" || n.Content.IV == ""):
		return "", false
	case n.Content.CallToken != "":
		return n.Content.CallToken, true
	}
	return n.Target.Token, voip
}

// payload writes the JSON. It escapes as encoding/json does by itself, since apns2
// passes it through there again: what is measured is what is sent.
func (f *format) payload(n push.Notification, a aps) []byte {
	keys := f.keys(n)
	keys["aps"] = a
	return encode(keys)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers of ours
	}
	return b
}
