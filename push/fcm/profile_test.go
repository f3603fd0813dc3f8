package fcm

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"rouse/push"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

// A profile that has Android show the text, over the wire.
func TestShownByAndroid(t *testing.T) {
	f := standIn(t)
	mongoose, err := profile.Google("mongoose")
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, f, func(o *Options) { o.Profile = mongoose })
	n := wake(session.Message)
	n.Content = push.Content{Sender: "romeo@example.net", Body: "Neither, fair saint"}
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	var m struct {
		Message struct {
			Data         map[string]string
			Notification struct{ Title, Body string }
			Android      struct{ Notification struct{ Tag string } }
		}
	}
	if err := json.Unmarshal(f.Received()[0].Payload, &m); err != nil {
		t.Fatal(err)
	}
	if got := m.Message; len(got.Data) != 0 || got.Notification.Title != "romeo@example.net" ||
		got.Notification.Body != "Neither, fair saint" || got.Android.Notification.Tag != "romeo@example.net" {
		t.Errorf("%s", f.Received()[0].Payload)
	}

	// Nothing is shown of a silent wake, and nothing but the wake is in Monal's.
	for name, class := range map[string]session.Class{"mongoose": session.Silent, "monal": session.Message} {
		f.Forget()
		profile, err := profile.Google(name)
		if err != nil {
			t.Fatal(err)
		}
		if r := send(t, open(t, f, func(o *Options) { o.Profile = profile }), wake(class)); r.Outcome != push.Delivered {
			t.Fatalf("%s: %+v", name, r)
		}
		var m struct {
			Message struct {
				Data         map[string]string
				Notification any
			}
		}
		payload := f.Received()[0].Payload
		if err := json.Unmarshal(payload, &m); err != nil || m.Message.Notification != nil || m.Message.Data["account"] != "" {
			t.Errorf("%s: %s", name, payload)
		}
	}
}

// Access tokens go the same way as messages.
func TestThroughAProxy(t *testing.T) {
	f := standIn(t)
	proxy, err := pushtest.NewProxy("rouse", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	through := func(password string) *Provider {
		return open(t, f, func(o *Options) {
			o.Proxy = proxy.URL()
			o.Proxy.User = url.UserPassword("rouse", password)
		})
	}
	if r := send(t, through("hunter2"), wake(session.Message)); r.Outcome != push.Delivered || len(proxy.Asked()) != 2 {
		t.Errorf("%+v, asked for %v", r, proxy.Asked())
	}
	r := send(t, through("hunter3"), wake(session.Message))
	if r.Outcome != push.Unavailable || strings.Contains(fmt.Sprint(r), "hunter") {
		t.Errorf("another password: %+v", r)
	}
}
