package apns

import (
	"encoding/json"
	"testing"

	"rouse/push"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

// As Siskin is called: by its second token, with what the server encrypted. When
// that token is dead the phone still shows the call, and stays registered.
func TestCallToTheSecondToken(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	opts := options(t, a)
	var err error
	if opts.Profile, err = profile.Apple("siskin"); err != nil {
		t.Fatal(err)
	}
	opts.VoIP = true
	p := open(t, opts)
	n := wake(session.Call)
	n.Content = push.Content{Account: "juliet@example.org", CallToken: pushtest.APNsToken("calls"), Encrypted: "Y2FsbA==", IV: "aXY="}
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	got := a.Received()
	if len(got) != 1 || got[0].Token != n.Content.CallToken || got[0].Topic != topic+".voip" || got[0].PushType != "voip" {
		t.Fatalf("%+v", got)
	}
	var keys map[string]any
	if err := json.Unmarshal(got[0].Payload, &keys); err != nil || keys["account"] != "juliet@example.org" || keys["encrypted"] != "Y2FsbA==" || keys["iv"] != "aXY=" {
		t.Errorf("%s", got[0].Payload)
	}

	for name, spoil := range map[string]func(*push.Notification){
		"gone":          func(*push.Notification) { a.Queue(pushtest.Reply{Status: 410, Reason: "Unregistered"}) },
		"not a token":   func(n *push.Notification) { n.Content.CallToken = "../" },
		"not encrypted": func(n *push.Notification) { n.Content.Encrypted = "" },
	} {
		a.Forget()
		n := n
		spoil(&n)
		if r := send(t, p, n); r.Outcome != push.Delivered {
			t.Errorf("%s: %+v", name, r)
		}
		got := a.Delivered()
		if len(got) != 1 || got[0].Token != n.Target.Token || got[0].Topic != topic || got[0].PushType != "alert" {
			t.Errorf("%s: %+v", name, got)
		}
	}

	a.Forget()
	a.Queue(pushtest.Reply{Status: 503, Reason: "ServiceUnavailable"})
	if r := send(t, p, n); r.Outcome != push.Unavailable || len(a.Received()) != 1 {
		t.Errorf("a passing fault: %+v after %d requests", r, len(a.Received()))
	}
}

func TestThroughAProxy(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	proxy, err := pushtest.NewProxy("", "")
	if err != nil {
		t.Fatal(err)
	}
	opts := options(t, a)
	opts.Proxy = proxy.URL()
	p := open(t, opts)
	if r := send(t, p, wake(session.Message)); r.Outcome != push.Delivered || len(proxy.Asked()) != 1 {
		t.Errorf("%+v, asked for %v", r, proxy.Asked())
	}
	proxy.Close()
	r := send(t, open(t, opts), wake(session.Message))
	if r.Outcome != push.Unavailable || r.Reason != "no way through the proxy" || r.Remedy == "" {
		t.Errorf("without it: %+v", r)
	}
}
