package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"rouse/config"
	"rouse/push"
	"rouse/push/apns"
	"rouse/push/fcm"
	"rouse/push/h2"
	"rouse/push/profile"
	"rouse/push/relay"
	"rouse/push/webpush"
)

// relayKind is the kind of provider that has servers publish to third parties.
const relayKind = "relay"

// providers makes what sends for each app, and under "" for third-party services.
func providers(cfg *config.Config, third *relay.Provider) (map[string]push.App, error) {
	apps := make(map[string]push.App, len(cfg.Apps)+1)
	var keys apns.Keys
	var errs config.Errors
	for i := range cfg.Apps {
		p, err := provider(&cfg.Apps[i], &cfg.Push, &keys)
		if err != nil {
			errs = append(errs, &config.Error{
				File: cfg.Place(fmt.Sprintf("app[%d]", i)), Key: "app " + cfg.Apps[i].Name, Cause: err.Error(),
			})
			continue
		}
		app := push.App{Kind: cfg.Apps[i].Provider, Provider: p, Rate: cfg.Apps[i].Rate, Once: once(&cfg.Apps[i])}
		if app.Kind == config.WebPush {
			app.Timeout = webpush.Timeout
		}
		apps[cfg.Apps[i].Name] = app
	}
	if third != nil {
		apps[""] = push.App{Kind: relayKind, Provider: third, Timeout: relay.Timeout, PerService: true}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return apps, nil
}

// once reports whether the devices of an app stay away when they are woken: a
// notification is shown, and the app connects when somebody touches it.
func once(a *config.App) bool {
	return a.Once || a.Mongoose || a.Profile == "mongoose" || a.Provider == config.APNs && (a.Profile == "siskin" || a.Profile == "snikket")
}

// closeProviders ends the connections to providers, each once.
func closeProviders(apps map[string]push.App) error {
	var errs []error
	for _, a := range apps {
		if c, ok := a.Provider.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

func provider(a *config.App, way *config.Push, keys *apns.Keys) (push.Provider, error) {
	roots, err := h2.Roots(a.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	switch a.Provider {
	case config.WebPush:
		text, err := os.ReadFile(a.VAPIDKeyFile)
		if err != nil {
			return nil, err
		}
		key, err := webpush.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("vapid_key_file: %w", err)
		}
		return webpush.New(webpush.Options{Key: key, Contact: a.Contact, AllowPrivate: a.AllowPrivate, Roots: roots})
	case config.FCM:
		credentials, err := os.ReadFile(a.CredentialsFile)
		if err != nil {
			return nil, err
		}
		parses, err := profile.Google(a.Profile)
		if err != nil {
			return nil, err
		}
		return fcm.New(fcm.Options{Credentials: credentials, Endpoint: a.Endpoint, Roots: roots, Proxy: way.ProxyURL(), Profile: parses})
	}
	parses, err := profile.Apple(a.Profile)
	if err != nil {
		return nil, err
	}
	o := apns.Options{Topic: a.Topic, Sandbox: a.Environment == config.Sandbox, VoIP: a.VoIP, Endpoint: a.Endpoint, Other: a.OtherEndpoint, Roots: roots,
		Proxy: way.ProxyURL(), Profile: parses}
	if a.CertificateFile != "" {
		content, err := os.ReadFile(a.CertificateFile)
		if err != nil {
			return nil, err
		}
		if o.Certificate, err = apns.ReadCertificate(content, a.Password.Reveal()); err != nil {
			return nil, fmt.Errorf("certificate_file: %w", err)
		}
		return apns.New(o)
	}
	p8, err := os.ReadFile(a.KeyFile)
	if err != nil {
		return nil, err
	}
	if o.Key, err = keys.Get(p8, a.KeyID, a.TeamID); err != nil {
		return nil, fmt.Errorf("key_file: %w", err)
	}
	return apns.New(o)
}
