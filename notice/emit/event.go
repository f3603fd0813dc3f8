package emit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"mellium.im/xmpp/jid"

	"rouse/notice"
)

// Event is a CloudEvent in JSON (§2 of its JSON format). Attributes that it does not
// name are passed over.
type Event struct {
	SpecVersion string    `json:"specversion"`
	ID          string    `json:"id"`
	Source      string    `json:"source"`
	Type        string    `json:"type"`
	Subject     string    `json:"subject,omitempty"`
	Time        time.Time `json:"time,omitzero"`
	Data        *Data     `json:"data"`
}

// Data is what is told. Its names are stable.
type Data struct {
	Text     string            `json:"text"`
	Severity string            `json:"severity,omitempty"` // info, warning or error; empty: info
	To       []string          `json:"to,omitempty"`       // accounts that are told; none, and no users: administrators
	Users    []string          `json:"users,omitempty"`    // of the directory, whom it concerns
	Link     string            `json:"link,omitempty"`
	Fields   map[string]string `json:"fields,omitempty"`
}

// Limits of an event.
const (
	MaxBytes  = 256 << 10 // of a request
	maxText   = 4000      // characters
	maxName   = 200       // characters of an attribute, or of a field's name
	maxPeople = 100
	maxFields = 50
	maxBatch  = 100
)

var kind = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// parse reads one event.
func parse(b []byte) (e Event, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&e); err != nil {
		return e, fmt.Errorf("is no event: %w", clear(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return e, errors.New("is followed by something else")
	}
	return e, nil
}

// clear says in words of JSON what is wrong, not in words of Go.
func clear(err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return fmt.Errorf("%s is not of the right type", t.Field)
	}
	return err
}

// notice checks an event, and makes a notice of it.
func (e *Event) notice(now time.Time, person func(user string) notice.Person) (n notice.Notice, err error) {
	switch {
	case e.SpecVersion != "1.0":
		return n, fmt.Errorf("specversion is %.20q, and not 1.0", e.SpecVersion)
	case e.ID == "" || len(e.ID) > maxName:
		return n, errors.New("id is missing, or too long")
	case e.Source == "" || len(e.Source) > maxName:
		return n, errors.New("source is missing, or too long")
	case e.Source == "directory" || e.Source == "bot":
		return n, fmt.Errorf("source %s is our own", e.Source)
	case !kind.MatchString(e.Type):
		return n, fmt.Errorf("type %.40q is not like backup.failed", e.Type)
	case len(e.Subject) > maxName:
		return n, errors.New("subject is too long")
	case e.Data == nil || strings.TrimSpace(e.Data.Text) == "":
		return n, errors.New("data.text is missing: what is to be told")
	}
	d := e.Data
	n = notice.Notice{Source: e.Source, Kind: e.Type, Severity: notice.Severity(d.Severity), At: e.Time.UTC(), Subject: e.Subject, Text: strings.TrimSpace(d.Text), Link: d.Link, Fields: d.Fields}
	sum := sha256.Sum256([]byte(e.Source + "\x00" + e.ID))
	n.ID = hex.EncodeToString(sum[:12])
	if n.Severity == "" {
		n.Severity = notice.Info
	}
	if e.Time.IsZero() || e.Time.After(now) {
		n.At = now.UTC()
	}
	switch {
	case utf8.RuneCountInString(n.Text) > maxText:
		return n, fmt.Errorf("data.text has more than %d characters", maxText)
	case !slices.Contains(notice.Severities(), n.Severity):
		return n, fmt.Errorf("data.severity %.20q is not info, warning or error", d.Severity)
	case len(d.To)+len(d.Users) > maxPeople:
		return n, fmt.Errorf("data.to and data.users are more than %d", maxPeople)
	case len(d.Fields) > maxFields:
		return n, fmt.Errorf("data.fields are more than %d", maxFields)
	}
	for name := range d.Fields {
		if len(name) > maxName || len(d.Fields[name]) > maxText {
			return n, fmt.Errorf("data.fields %.40q is too long", name)
		}
	}
	if d.Link != "" {
		if u, err := url.Parse(d.Link); err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "xmpp" || len(d.Link) > 2000 {
			return n, errors.New("data.link is not an address like https://example.org/")
		}
	}
	for _, to := range d.To {
		j, err := jid.Parse(to)
		if err != nil || j.Localpart() == "" {
			return n, fmt.Errorf("data.to %.80q is not the address of an account", to)
		}
		n.To = append(n.To, j.Bare().String())
	}
	for _, user := range d.Users {
		n.People = append(n.People, person(user))
	}
	return n, nil
}
