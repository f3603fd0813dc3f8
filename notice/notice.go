package notice

import (
	"errors"
	"slices"
	"time"
)

// Notice is what one or several people are told.
type Notice struct {
	ID       string            `json:"id"`     // the same however often it is sent
	Source   string            `json:"source"` // directory, or who emitted it
	Kind     string            `json:"kind"`   // user.created, password.expiring …
	Severity Severity          `json:"severity"`
	At       time.Time         `json:"at"`
	Subject  string            `json:"subject,omitempty"` // what it is about: the name of a user, a group, a host
	Text     string            `json:"text"`
	You      string            `json:"you,omitempty"` // the same, said to the person whom it concerns; empty: Text
	Fields   map[string]string `json:"fields,omitempty"`
	People   []Person          `json:"people,omitempty"`   // whom it concerns
	Managers []Person          `json:"managers,omitempty"` // of what it is about
	To       []string          `json:"to,omitempty"`       // addresses that its source named
	Link     string            `json:"link,omitempty"`     // where there is more
}

// Person is somebody. Address is a bare JID, and empty where there is none; Why says
// why.
type Person struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	Why     string `json:"why,omitempty"`
}

// Severity is how much a notice matters.
type Severity string

// The severities, in order.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Severities lists them from the least.
func Severities() []Severity { return []Severity{Info, Warning, Error} }

// AtLeast reports whether it matters as much as another.
func (s Severity) AtLeast(least Severity) bool {
	all := Severities()
	return slices.Index(all, s) >= slices.Index(all, least)
}

// ErrUndeliverable says that somebody cannot be told, now or later.
var ErrUndeliverable = errors.New("undeliverable")
