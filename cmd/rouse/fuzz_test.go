package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rouse/component/forms"
	"rouse/component/p2"
	"rouse/config"
	"rouse/session"
)

// FuzzOffer: whatever options come with a publish, they speak for no app that does
// not ask for it, and for nothing that could not be a token.
func FuzzOffer(f *testing.F) {
	cfg := &config.Config{Apps: []config.App{
		{Name: "closed", Provider: config.APNs, Topic: "org.example.closed"},
		{Name: "monal", Provider: config.APNs, FpushModules: []string{"default", "monalProdiOS"}},
		{Name: "kotlin", Provider: config.FCM, FpushModules: []string{"android"}},
		{Name: "mongoose", Provider: config.FCM, Mongoose: true},
		{Name: "goose", Provider: config.APNs, Mongoose: true, Topic: "org.example.goose", Environment: config.Production},
	}}
	hex := strings.Repeat("0a", 32)
	f.Add(hex, "pushModule", "default", "", "", "", "")
	f.Add(hex[:63], "pushModule", "closed", "", "", "", "")
	f.Add("x:"+hex+hex, "pushModule", "android", "", "", "", "")
	f.Add("n", "device_id", "t", "service", "fcm", "mode", "dev")
	f.Add("n", "device_id", "\x00", "service", "apns", "topic", "org.example.other")
	f.Fuzz(func(t *testing.T, node, a, x, b, y, c, z string) {
		options := forms.Form{Fields: []forms.Field{forms.Text(a, "", x), forms.Text(b, "", y), forms.Text(c, "", z), {Var: a}}}
		o := offer(cfg, node, options)
		if o == nil {
			return
		}
		fpush := o.App == "monal" || o.App == "kotlin"
		if o.App == "closed" || !p2.Token(o.Token) || fpush != (o.Family == session.Fpush) || fpush && o.Token != node || !fpush && o.Token != options.Get("device_id") {
			t.Errorf("%q with %+v: %+v", node, options, o)
		}
	})
}

// noDesk knows no device, and keeps what is noted.
type noDesk struct{ desk }

func (noDesk) devices(context.Context, string, func(deviceReport) error) error { return nil }
func (noDesk) device(context.Context, string, string) (deviceReport, error) {
	return deviceReport{}, errNoDevice
}
func (noDesk) forget(context.Context, string, string) (deviceReport, error) {
	return deviceReport{}, errNoDevice
}
func (noDesk) target(context.Context, string, string) (session.Registration, string, error) {
	return session.Registration{}, "", errNoDevice
}
func (noDesk) note(_ context.Context, owner string, _ session.Reason) error {
	if owner == "" {
		return errors.New("nobody's")
	}
	return nil
}

// FuzzControl: whatever comes over the socket of commands, nothing of it is taken
// that does not say about whom it is.
func FuzzControl(f *testing.F) {
	line, err := json.Marshal(noted{"juliet@example.org", session.Reason{At: time.Unix(1, 0), Event: session.Test, Class: session.Call}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("POST", controlNote, string(line))
	f.Add("POST", controlNote, `{"owner":1}`)
	f.Add("POST", controlNote, `{"owner":"a","reason":{"class":"none"}}`)
	f.Add("POST", controlForget+"?node=n&account=%ff", "")
	f.Add("GET", controlDevices+"?of=%00", "")
	f.Add("PUT", "/../etc", "{")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		r, err := http.NewRequest(method, "http://rouse"+target, strings.NewReader(body))
		if err != nil || r.URL.Host != "rouse" {
			return
		}
		w := httptest.NewRecorder()
		controlHandler(noDesk{}).ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%s %s %q: %d %s", method, target, body, w.Code, w.Body)
		}
	})
}
