package push

import (
	"errors"
	"net/url"
	"strings"
)

// Scrub gives the error without the token in it. APNs has the token in the URL,
// and net/http puts URLs into its errors, so providers pass every error through.
func Scrub(err error, token string) error {
	if err == nil {
		return nil
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	text := err.Error()
	if token != "" {
		text = strings.ReplaceAll(text, token, "[token]")
		text = strings.ReplaceAll(text, url.PathEscape(token), "[token]")
	}
	return errors.New(text)
}

// short is what a log may hold of a node: enough to recognise it.
func short(node string) string {
	return node[:min(len(node), 6)]
}
