package main

import (
	"encoding/base64"
	"strings"
	"testing"

	"rouse/component/forms"
	"rouse/component/tigase"
	"rouse/config"
	"rouse/gateway"
	"rouse/push"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

// TestOffers: which app a device is for that nobody registered, by what the
// publish says of it.
func TestOffers(t *testing.T) {
	cfg := &config.Config{Apps: []config.App{
		{Name: "ios", Provider: config.APNs, Environment: config.Production, Topic: "org.example.chat", Mongoose: true, FpushModules: []string{"default", "monalProdiOS"}},
		{Name: "beta", Provider: config.APNs, Environment: config.Sandbox, Topic: "org.example.chat", Mongoose: true, FpushModules: []string{"monalProdiOS-sandbox"}},
		{Name: "mac", Provider: config.APNs, Environment: config.Production, Topic: "org.example.mac", Mongoose: true},
		{Name: "android", Provider: config.FCM, Mongoose: true, FpushModules: []string{"quicksy"}},
		{Name: "other", Provider: config.FCM},
	}}
	apns, fcm := pushtest.APNsToken("phone"), pushtest.FCMToken("phone")
	for _, c := range []struct {
		node, options string
		want          *gateway.Offer
	}{
		{apns, "", &gateway.Offer{Family: session.Fpush, App: "ios", Token: apns}},
		{strings.ToUpper(apns), "", &gateway.Offer{Family: session.Fpush, App: "ios", Token: strings.ToUpper(apns)}},
		{apns, "pushModule=monalProdiOS", &gateway.Offer{Family: session.Fpush, App: "ios", Token: apns}},
		{apns, "pushModule=monalProdiOS-sandbox", &gateway.Offer{Family: session.Fpush, App: "beta", Token: apns}},
		{fcm, "pushModule=quicksy", &gateway.Offer{Family: session.Fpush, App: "android", Token: fcm}},
		{fcm, "", nil},
		{apns, "pushModule=quicksy", nil},
		{apns, "pushModule=unknown", nil},
		{apns[1:], "", nil},
		{apns[2:], "", nil},
		{strings.Repeat("0a", 101), "", nil},
		{strings.Replace(apns, apns[:1], "g", 1), "", nil},
		{"", "", nil},
		{"n", "device_id=t service=apns", &gateway.Offer{Family: session.Mongoose, App: "ios", Token: "t"}},
		{"n", "device_id=t service=apns mode=prod topic=org.example.mac", &gateway.Offer{Family: session.Mongoose, App: "mac", Token: "t"}},
		{"n", "device_id=t service=apns mode=dev", &gateway.Offer{Family: session.Mongoose, App: "beta", Token: "t"}},
		{"n", "device_id=t service=apns mode=dev topic=org.example.mac", nil},
		{"n", "device_id=t service=fcm topic=what", &gateway.Offer{Family: session.Mongoose, App: "android", Token: "t"}},
		{"n", "device_id=t service=pigeon", nil},
		{"n", "device_id=t", nil},
		{"n", "service=apns", nil},
		{apns, "device_id=t service=pigeon pushModule=default", nil},
		{"n", "device_id=\n service=apns", nil},
	} {
		var f forms.Form
		for word := range strings.SplitSeq(c.options, " ") {
			name, value, _ := strings.Cut(word, "=")
			f.Fields = append(f.Fields, forms.Text(name, "", value))
		}
		got := offer(cfg, c.node, f)
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("node %.20q, options %q: %+v, want %+v", c.node, c.options, got, c.want)
		}
	}
}

// TestWhatIsEncryptedFits: a server that encrypts as much as a registration allows
// is not cut, with a long address and the tag that the cipher adds.
func TestWhatIsEncryptedFits(t *testing.T) {
	siskin, err := profile.Apple("siskin")
	if err != nil {
		t.Fatal(err)
	}
	n := push.Notification{Class: session.Message, Content: push.Content{
		Account:   strings.Repeat("j", 250) + "@" + strings.Repeat("e", 250),
		Encrypted: base64.StdEncoding.EncodeToString(make([]byte, tigase.MaxPayload+16)), IV: "MTIzNDU2Nzg5MDEy",
	}}
	out, err := siskin.Apple(n, false)
	if err != nil || !strings.Contains(string(out.Payload), n.Content.Encrypted) || len(out.Payload) > profile.AppleLimit {
		t.Errorf("%v: %d bytes, encrypted: %t", err, len(out.Payload), strings.Contains(string(out.Payload), `"encrypted"`))
	}
	t.Logf("%d of %d bytes", len(out.Payload), profile.AppleLimit)
}
