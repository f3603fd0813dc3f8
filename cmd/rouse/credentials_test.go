package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rouse/config"
	"rouse/push/pushtest"
)

const certifiedApp = `
[[app]]
name = "chat-old"
provider = "apns"
topic = "org.example.chat"
certificate_file = "old.pem"
ca_file = "apns-ca.pem"
`

// certified writes a certificate that is good for some days, and gives the
// configuration of its app.
func certified(t *testing.T, days int) (*config.Config, time.Time) {
	t.Helper()
	a, dir := applePlace(t, pushtest.APNsOptions{Certificates: true})
	c, err := a.Certificate(pushtest.PushCertificate{Until: time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	file := filepath.Join(dir, "rouse.toml")
	for name, text := range map[string][]byte{
		filepath.Join(dir, "old.pem"): text,
		file:                          []byte("[web]\nlisten = \"127.0.0.1:0\"\n" + certifiedApp + "endpoint = \"" + a.URL() + "\"\n"),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, leaf.NotAfter
}

func checked(t *testing.T, cfg *config.Config) string {
	t.Helper()
	var out bytes.Buffer
	checkApps(t.Context(), cfg, &printer{out: &out})
	return out.String()
}

// TestCertificatesEnd: check, the log and the metric say so in time.
func TestCertificatesEnd(t *testing.T) {
	for _, c := range []struct {
		days         int
		check, start string
	}{
		{10, "warn  the credentials are accepted; the certificate ends on %s, in 10 days\n", "the certificate ends on %s, in 10 days"},
		{200, "ok    the credentials are accepted; the certificate ends on %s\n", ""},
		{-1, "FAIL", "the certificate ends on %s: it is of no use any more"},
	} {
		t.Run(fmt.Sprintf("in %d days", c.days), func(t *testing.T) {
			cfg, end := certified(t, c.days)
			on := func(text string) string { return strings.ReplaceAll(text, "%s", end.UTC().Format(time.DateOnly)) }
			if got := checked(t, cfg); !strings.Contains(got, on(c.check)) || strings.Contains(got, "fix: ") != (c.start != "") {
				t.Errorf("check says %s", got)
			}
			var log bytes.Buffer
			a, err := build(t.Context(), cfg, time.Now, &log)
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			if got := log.String(); strings.Contains(got, "certificate ends") != (c.start != "") || !strings.Contains(got, on(c.start)) {
				t.Errorf("the log says %s", got)
			}
			if got, want := exported(t, a), fmt.Sprintf("rouse_certificate_expires_timestamp_seconds{app=\"chat-old\"} %s\n", float(end)); !strings.Contains(got, want) {
				t.Errorf("metrics have no %s", want)
			}
		})
	}
}

// TestCertificatesEndWhileRouseRuns: nobody has to start it again to be told.
func TestCertificatesEndWhileRouseRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		lines := make(chan string, 10)
		done := make(chan error, 1)
		go func() {
			log := slog.New(slog.NewTextHandler(sayTo(lines), nil))
			done <- remindDaily(ctx, log, map[string]time.Time{"chat-old": time.Now().Add(33 * 24 * time.Hour), "other": time.Now().AddDate(1, 0, 0)})
		}()
		for day, want := range []int{0, 0, 0, 1, 1, 1, 1} {
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			if len(lines) != want {
				t.Errorf("on day %d the log got %d lines, want %d", day+1, len(lines), want)
			}
			for len(lines) > 0 {
				if line := <-lines; !strings.Contains(line, "level=WARN") || !strings.Contains(line, "app=chat-old") {
					t.Error(line)
				}
			}
		}
		cancel()
		<-done
	})
}

// sayTo is a log whose lines somebody reads.
type sayTo chan<- string

func (c sayTo) Write(line []byte) (int, error) { c <- string(line); return len(line), nil }

// exported are the metrics as they are read.
func exported(t *testing.T, a *app) string {
	t.Helper()
	w := httptest.NewRecorder()
	a.web.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// float is a time as the text format has it.
func float(t time.Time) string { return fmt.Sprint(float64(t.Unix())) }

// TestClocks: a clock that is off is found by what providers say of the time.
func TestClocks(t *testing.T) {
	t.Run("a little", func(t *testing.T) {
		a, dir := applePlace(t, pushtest.APNsOptions{Now: func() time.Time { return time.Now().Add(-2 * time.Minute) }})
		got := checked(t, configOf(t, dir, appleApp+"endpoint = \""+a.URL()+"\"\n"))
		if !strings.Contains(got, "warn  this machine's clock is 2m0s ahead of that of the provider of chat-ios") || !strings.Contains(got, "timedatectl") {
			t.Error(got)
		}
	})
	t.Run("right", func(t *testing.T) {
		a, dir := applePlace(t, pushtest.APNsOptions{})
		if got := checked(t, configOf(t, dir, appleApp+"endpoint = \""+a.URL()+"\"\n")); strings.Contains(got, "clock") {
			t.Error(got)
		}
	})
	t.Run("so much that Google refuses it", func(t *testing.T) {
		f, err := pushtest.NewFCM(pushtest.FCMOptions{Now: func() time.Time { return time.Now().Add(2 * time.Hour) }})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		dir := t.TempDir()
		if _, _, err := f.WriteFiles(dir); err != nil {
			t.Fatal(err)
		}
		app := "[[app]]\nname = \"chat\"\nprovider = \"fcm\"\ncredentials_file = \"service-account.json\"\nca_file = \"fcm-ca.pem\"\nendpoint = \"" + f.URL() + "\"\n"
		got := checked(t, configOf(t, dir, app+strings.Replace(app, "\"chat\"", "\"other\"", 1)))
		if strings.Count(got, "FAIL  this machine's clock is 2h0m0s behind that of the provider of chat") != 1 {
			t.Error(got)
		}
	})
}
