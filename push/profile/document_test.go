package profile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rouse/push"
)

// about says of each profile whose it is.
var about = map[string]string{
	"conversations": "Conversations, Cheogram, Quicksy and other clients that register by p2. `account` is the hash that the client knows its account by; no address leaves the server. With FCM devices collapse under the first six digits of it, as with p2.",
	"monal":         "Monal, as fpush wakes it: its extension replaces the text. There is nothing in it about the account.",
	"siskin":        "Siskin, as Tigase's push component wakes it. The app looks for `account`, the bare JID, and shows nothing of its own without it. What a server encrypted (`tigase:push:encrypt:0`) is passed on as it came, and then nothing else; calls so encrypted go to the second token, as VoIP pushes.",
	"snikket":       "Snikket: with apns as Siskin, with fcm as Conversations.",
	"mongoose":      "Apps that were made for MongooseIM with MongoosePush: sender and text where they are known, and the number of stanzas at the app's icon.",
	"plain":         "Apps that parse nothing: a text, and nothing else.",
}

// TestDocument holds docs/profiles.md to the code.
func TestDocument(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What an app is sent\n\n<!-- Made from the package push/profile by: go test ./push/profile -update -->\n\n" +
		"`profile` of an [`[[app]]`](config.md#app) says what its clients parse. A profile needs nothing but the wake: what a sender did not say is left out, and the client fetches it from its server. " +
		"Where a provider takes no more (4096 bytes; 5120 for a VoIP push), the text is cut first; then nickname, sender and what was encrypted go. `account` stays.\n\n" +
		"The examples are of a message with sender and text known, and of one encrypted by the server, where that makes a difference.\n")
	for _, name := range Names() {
		fmt.Fprintf(&b, "\n## `%s`\n\n%s\n\n```json\n", name, about[name])
		apple, err := Apple(name)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		show := func(wake string, line func(push.Notification) string) {
			if text := line(wakes()[wake]); !seen[text] {
				seen[text] = true
				b.WriteString(text + "\n")
			}
		}
		for _, wake := range []string{"message", "message with sender and text", "message, encrypted", "silent"} {
			show(wake, func(n push.Notification) string {
				p, err := apple.Apple(n, false)
				if err != nil {
					t.Fatal(err)
				}
				return string(p.Payload)
			})
		}
		b.WriteString("```\n")
		google, err := Google(name)
		if err != nil {
			continue
		}
		b.WriteString("\nWith FCM:\n\n```json\n")
		for _, wake := range []string{"message", "message with sender and text", "message, encrypted", "silent"} {
			show(wake, func(n push.Notification) string {
				m, err := google.Google(n)
				if err != nil {
					t.Fatal(err)
				}
				text, err := json.Marshal(written{Data: m.Data, Alert: m.Alert, Tag: m.Tag, Collapse: m.Collapse})
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			})
		}
		b.WriteString("```\n")
	}
	file := filepath.Join("..", "..", "docs", "profiles.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s is stale (%v): run go test ./push/profile -update", file, err)
	}
}
