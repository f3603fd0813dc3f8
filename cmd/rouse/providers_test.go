package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rouse/config"
	"rouse/push"
	"rouse/push/profile"
	"rouse/push/pushtest"
	"rouse/session"
)

// provided makes the providers of a configuration, as serve does.
func provided(t *testing.T, dir, text string) (map[string]push.App, error) {
	t.Helper()
	apps, err := providers(configOf(t, dir, text), nil)
	t.Cleanup(func() {
		for _, a := range apps {
			a.Provider.(interface{ Close() error }).Close()
		}
	})
	return apps, err
}

// configOf writes a configuration into a directory and reads it.
func configOf(t *testing.T, dir, text string) *config.Config {
	t.Helper()
	file := filepath.Join(dir, "rouse.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// wakes has an app send one wake.
func wakes(t *testing.T, a push.App, token string) push.Result {
	t.Helper()
	return a.Provider.Send(t.Context(), push.Notification{
		ID: "11111111-2222-4333-8444-555555555555", Class: session.Message, Count: 1, Collapse: "c0ffee",
		Expires: time.Now().Add(time.Hour), Target: session.Registration{Node: "n", Token: token, Device: "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8"},
	})
}

func applePlace(t *testing.T, o pushtest.APNsOptions) (*pushtest.APNs, string) {
	t.Helper()
	a, err := pushtest.NewAPNs(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	dir := t.TempDir()
	if _, _, err := a.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	return a, dir
}

const appleApp = `
[[app]]
name = "chat-ios"
provider = "apns"
topic = "org.example.chat"
key_file = "AuthKey.p8"
key_id = "ABC123DEFG"
team_id = "TEAM45678X"
ca_file = "apns-ca.pem"
`

var appleToken = strings.Repeat("ab", 32)

// TestProfileAndProxyOfTheConfiguration: the app gets what it parses, by the way
// that is configured.
func TestProfileAndProxyOfTheConfiguration(t *testing.T) {
	a, dir := applePlace(t, pushtest.APNsOptions{})
	proxy, err := pushtest.NewProxy("rouse", "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	if err := os.WriteFile(filepath.Join(dir, "proxy.password"), []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	apps, err := provided(t, dir, appleApp+"profile = \"monal\"\nendpoint = \""+a.URL()+"\"\n[push]\nproxy = \""+proxy.URL().String()+
		"\"\nproxy_user = \"rouse\"\nproxy_password_file = \"proxy.password\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if r := wakes(t, apps["chat-ios"], appleToken); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	got := a.Received()
	if len(got) != 1 || !strings.Contains(string(got[0].Payload), "New Message?") {
		t.Errorf("not Monal's: %+v", got)
	}
	if asked := proxy.Asked(); len(asked) != 1 || "https://"+asked[0] != a.URL() {
		t.Errorf("the proxy was asked for %v", asked)
	}
}

func TestProfileOfTheOtherProvider(t *testing.T) {
	f, err := pushtest.NewFCM(pushtest.FCMOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	if _, _, err := f.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	_, err = provided(t, dir, "[[app]]\nname = \"chat\"\nprovider = \"fcm\"\nprofile = \"siskin\"\ncredentials_file = \"service-account.json\"\nca_file = \"fcm-ca.pem\"\n")
	if err == nil || !strings.Contains(err.Error(), "Apple's devices only") {
		t.Errorf("%v", err)
	}
}

// TestProfilesOfTheConfiguration: a profile of push/profile can be written down,
// and what can be written down is one.
func TestProfilesOfTheConfiguration(t *testing.T) {
	_, err := config.Parse("rouse.toml", []byte("[[app]]\nname = \"a\"\nprovider = \"fcm\"\ncredentials_file = \"x\"\nprofile = \"none\"\n"))
	var known []string
	for _, name := range profile.Names() {
		known = append(known, fmt.Sprintf("%q", name))
	}
	var text strings.Builder
	config.Report(&text, "rouse", err)
	if want := "one of " + strings.Join(known, ", "); !strings.Contains(text.String(), want) {
		t.Errorf("%s\nwant %s", text.String(), want)
	}
}

// TestTheOtherEnvironmentOfTheConfiguration: a token is tried there too.
func TestTheOtherEnvironmentOfTheConfiguration(t *testing.T) {
	a, dir := applePlace(t, pushtest.APNsOptions{})
	apps, err := provided(t, dir, appleApp+"endpoint = \""+a.URL()+"\"\nother_endpoint = \""+strings.Replace(a.URL(), "127.0.0.1", "localhost", 1)+"\"\n")
	if err != nil {
		t.Fatal(err)
	}
	a.Queue(pushtest.Reply{Status: 400, Reason: "BadDeviceToken"})
	if r := wakes(t, apps["chat-ios"], appleToken); r.Outcome != push.Delivered || len(a.Received()) != 2 {
		t.Errorf("%+v", r)
	}
}

// TestShutdownClosesTheWaysOut: when run is over, no connection to a provider is left.
func TestShutdownClosesTheWaysOut(t *testing.T) {
	apple, dir := applePlace(t, pushtest.APNsOptions{})
	cfg := configOf(t, dir, "[web]\nlisten = \"\"\n"+appleApp+fmt.Sprintf("endpoint = %q\n", apple.URL()))
	a, err := build(t.Context(), cfg, time.Now, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- a.run(ctx, func() { close(ready) }) }()
	<-ready
	if r := wakes(t, a.apps["chat-ios"], appleToken); r.Outcome != push.Delivered {
		t.Fatalf("while it runs: %+v", r)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := wakes(t, a.apps["chat-ios"], appleToken); r.Outcome != push.Unavailable {
		t.Errorf("after the end: %+v", r)
	}
}
