package program

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"rouse/notice"
	"rouse/notice/outbox"
)

// Document is a notice as programs read it. Its names are stable.
type Document struct {
	ID       string            `json:"id"` // the same when it comes again
	Source   string            `json:"source"`
	Kind     string            `json:"kind"`
	Severity string            `json:"severity"`
	Time     time.Time         `json:"time"`
	Subject  string            `json:"subject,omitempty"`
	User     string            `json:"user,omitempty"` // the first whom it concerns
	People   []notice.Person   `json:"people,omitempty"`
	Text     string            `json:"text"`
	Link     string            `json:"link,omitempty"`
	Fields   map[string]string `json:"fields,omitempty"`
}

func document(d outbox.Delivery) Document {
	n := d.Notice
	doc := Document{ID: n.ID, Source: n.Source, Kind: n.Kind, Severity: string(n.Severity), Time: n.At, Subject: n.Subject, People: n.People, Text: d.Text, Link: n.Link, Fields: n.Fields}
	if len(n.People) > 0 {
		doc.User = n.People[0].Name
	}
	return doc
}

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_.-]*)\}`)

// Names lists what braces may name, beside fields of the notice.
func Names() []string {
	return []string{"id", "source", "kind", "severity", "time", "subject", "user", "address", "text", "link"}
}

// fill puts what a notice says in the place of names in braces. What it does not say is
// empty.
func (d Document) fill(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(p string) string {
		switch name := strings.Trim(p, "{}"); name {
		case "id":
			return d.ID
		case "source":
			return d.Source
		case "kind":
			return d.Kind
		case "severity":
			return d.Severity
		case "time":
			return d.Time.UTC().Format(time.RFC3339)
		case "subject":
			return d.Subject
		case "user":
			return d.User
		case "address":
			if len(d.People) > 0 {
				return d.People[0].Address
			}
			return ""
		case "text":
			return d.Text
		case "link":
			return d.Link
		default:
			return d.Fields[strings.TrimPrefix(name, "field.")]
		}
	})
}

// input is what a program reads.
func (d Document) input(kind string) ([]byte, error) {
	switch kind {
	case None:
		return nil, nil
	case Text:
		return []byte(d.Text + "\n"), nil
	case Mail:
		return d.mail()
	}
	text, err := json.Marshal(d)
	return append(text, '\n'), err
}

// mail is a message for sendmail -t (RFC 5322), to the address that the field mail has;
// whoever sends it adds From. RFC 3834 §5 keeps others from answering it.
func (d Document) mail() ([]byte, error) {
	to, err := mail.ParseAddress(d.Fields["mail"])
	if err != nil {
		return nil, fmt.Errorf("%w: there is no mail address of %s", notice.ErrUndeliverable, cmp.Or(d.User, d.Subject))
	}
	subject, _, _ := strings.Cut(d.Text, "\n")
	if runes := []rune(subject); len(runes) > maxSubject {
		subject = string(runes[:maxSubject]) + "…"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "To: %s\nSubject: %s\nDate: %s\nMessage-ID: <%s@rouse>\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n",
		to, mime.QEncoding.Encode("utf-8", subject), d.Time.Format(time.RFC1123Z), d.ID)
	w := quotedprintable.NewWriter(&b)
	body := d.Text + "\n"
	if d.Link != "" {
		body += d.Link + "\n"
	}
	_, err = w.Write([]byte(body))
	return b.Bytes(), errors.Join(err, w.Close())
}

const maxSubject = 150 // characters
