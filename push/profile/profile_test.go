package profile

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rouse/push"
	"rouse/session"
)

var update = flag.Bool("update", false, "write testdata/*.json anew")

// wakes are what a golden file shows of each profile: the wake alone, as rouse
// has it of itself, and with all that a sender can say.
func wakes() map[string]push.Notification {
	bare := push.Notification{
		Class: session.Message, Count: 2, Owner: "node:n1", Collapse: "c0ffee",
		Target: session.Registration{Node: "n1", Token: "TOKEN", Device: "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"},
	}
	of := func(c session.Class, change func(*push.Notification)) push.Notification {
		n := bare
		n.Class = c
		change(&n)
		return n
	}
	none := func(*push.Notification) {}
	said := func(n *push.Notification) {
		n.Content = push.Content{Account: "juliet@example.org", Sender: "romeo@example.net", Nickname: "Romeo", Body: "Neither, fair <saint>"}
	}
	encrypted := func(n *push.Notification) {
		said(n)
		n.Content.Encrypted, n.Content.IV = "Y2lwaGVydGV4dA==", "aXZpdml2aXZpdml2"
	}
	return map[string]push.Notification{
		"message":                       of(session.Message, none),
		"silent":                        of(session.Silent, none),
		"subscription":                  of(session.Subscription, none),
		"invitation":                    of(session.Invitation, none),
		"call":                          of(session.Call, none),
		"message of an account of ours": of(session.Message, func(n *push.Notification) { n.Owner = "juliet@example.org" }),
		"message in a room":             of(session.Group, func(n *push.Notification) { n.Content.Channel = "8843d7f92416211de9ebb963ff4ce28125932878" }),
		"message with sender and text":  of(session.Message, said),
		"silent with sender and text":   of(session.Silent, said),
		"message, encrypted":            of(session.Message, encrypted),
		"call, encrypted":               of(session.Call, encrypted),
		"call to a second token":        of(session.Call, func(n *push.Notification) { encrypted(n); n.Content.CallToken = "SECOND" }),
		"call to a second token, clear": of(session.Call, func(n *push.Notification) { said(n); n.Content.CallToken = "SECOND" }),
	}
}

// written is a push as a golden file has it.
type written struct {
	Token   string          `json:"token,omitempty"`
	Kind    Kind            `json:"push-type,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`

	Data     map[string]string `json:"data,omitempty"`
	Alert    *Alert            `json:"notification,omitempty"`
	Tag      string            `json:"tag,omitempty"`
	Collapse string            `json:"collapse_key,omitempty"`
}

// TestGolden: what each family's clients are sent, to the byte.
func TestGolden(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			golden := map[string]map[string]written{"apns": {}}
			apple, err := Apple(name)
			if err != nil {
				t.Fatal(err)
			}
			for wake, n := range wakes() {
				p, err := apple.Apple(n, false)
				if err != nil {
					t.Fatalf("%s: %v", wake, err)
				}
				golden["apns"][wake] = written{Token: p.Token, Kind: p.Kind, Payload: p.Payload}
			}
			if google, err := Google(name); err == nil {
				golden["fcm"], golden["webpush"] = map[string]written{}, map[string]written{}
				for wake, n := range wakes() {
					m, err := google.Google(n)
					if err != nil {
						t.Fatalf("%s: %v", wake, err)
					}
					golden["fcm"][wake] = written{Data: m.Data, Alert: m.Alert, Tag: m.Tag, Collapse: m.Collapse}
					w, err := google.Web(n)
					if err != nil {
						t.Fatalf("%s: %v", wake, err)
					}
					golden["webpush"][wake] = written{Payload: w}
				}
			} else if name != "siskin" {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(golden, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from what is sent: go test ./push/profile -update, and look at the difference", file)
			}
		})
	}
}

// TestNothingIsGivenAway: only Siskin's kin get an account's address, and nobody
// beside what is encrypted gets the clear text too.
func TestNothingIsGivenAway(t *testing.T) {
	for _, name := range Names() {
		apple, err := Apple(name)
		if err != nil {
			t.Fatal(err)
		}
		for wake, n := range wakes() {
			p, err := apple.Apple(n, false)
			if err != nil {
				t.Fatal(err)
			}
			text := string(p.Payload)
			if address := strings.Contains(text, "juliet@"); address && name != "siskin" && name != "snikket" {
				t.Errorf("%s, %s: the address of the account: %s", name, wake, text)
			}
			if (name == "siskin" || name == "snikket") && n.Content.Encrypted != "" && strings.Contains(text, "romeo") {
				t.Errorf("%s, %s: the sender, beside what is encrypted: %s", name, wake, text)
			}
			if name == "plain" && (strings.Contains(text, "5baa61") || strings.Contains(text, "romeo")) {
				t.Errorf("plain, %s: %s", wake, text)
			}
		}
	}
}

func TestVoIPWhereTheAppAsksForIt(t *testing.T) {
	n := wakes()["call"]
	for _, c := range []struct {
		profile string
		voip    bool
		content push.Content
		kind    Kind
		token   string
	}{
		{"conversations", false, push.Content{}, Shown, "TOKEN"},
		{"conversations", true, push.Content{}, VoIP, "TOKEN"},
		{"conversations", false, push.Content{CallToken: "SECOND"}, VoIP, "SECOND"},
		{"siskin", true, push.Content{}, Shown, "TOKEN"}, // never to the first token
		{"siskin", true, push.Content{CallToken: "SECOND"}, Shown, "TOKEN"},
		{"siskin", false, push.Content{CallToken: "SECOND", Encrypted: "YQ==", IV: "YQ=="}, VoIP, "SECOND"},
	} {
		p, err := Apple(c.profile)
		if err != nil {
			t.Fatal(err)
		}
		n.Content = c.content
		got, err := p.Apple(n, c.voip)
		if err != nil || got.Kind != c.kind || got.Token != c.token {
			t.Errorf("%+v: %s to %s, %v", c, got.Kind, got.Token, err)
		}
		n := n
		n.Class = session.Message
		if got, err := p.Apple(n, c.voip); err != nil || got.Kind != Shown || got.Token != "TOKEN" {
			t.Errorf("a message: %s to %s, %v", got.Kind, got.Token, err)
		}
	}
}

func TestNames(t *testing.T) {
	zero, err := (Profile{}).Apple(wakes()["message"], false)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", Default} {
		p, err := Apple(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Apple(wakes()["message"], false)
		if err != nil || !bytes.Equal(got.Payload, zero.Payload) {
			t.Errorf("%q is not the default: %s, %v", name, got.Payload, err)
		}
		if _, err := Google(name); err != nil {
			t.Error(err)
		}
	}
	for _, get := range []func(string) (Profile, error){Apple, Google} {
		if _, err := get("mona"); err == nil || !strings.Contains(err.Error(), "monal") {
			t.Errorf("an unknown name: %v", err)
		}
	}
	if _, err := Google("siskin"); err == nil || !strings.Contains(fmt.Sprint(err), "Apple") {
		t.Errorf("siskin for Android: %v", err)
	}
}
