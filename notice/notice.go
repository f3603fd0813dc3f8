package notice

import (
	"errors"
	"path"
	"time"
)

// Notice is what one or several people are told.
type Notice struct {
	ID       string // the same however often it is sent
	Kind     string // user.created, password.expiring …
	Severity string // info, warning, error
	At       time.Time
	Text     string
}

// ErrUndeliverable says that somebody cannot be told, now or later.
var ErrUndeliverable = errors.New("undeliverable")

// Audience is who is told of a kind of event, unless they choose otherwise.
type Audience struct {
	Person bool // the one whom it concerns
	Admins bool
}

// audiences are those of the kinds of package directory. What is in no line is for
// nobody.
var audiences = map[string]Audience{
	"user.created":         {Admins: true},
	"user.activated":       {Admins: true},
	"staged.created":       {Admins: true},
	"user.preserved":       {Admins: true},
	"user.restored":        {Admins: true},
	"user.deleted":         {Admins: true},
	"user.renamed":         {Person: true, Admins: true},
	"user.changed":         {Person: true},
	"user.disabled":        {Person: true, Admins: true},
	"user.enabled":         {Person: true, Admins: true},
	"user.locked":          {Person: true, Admins: true},
	"user.unlocked":        {Person: true},
	"user.login-failures":  {Person: true},
	"password.changed":     {Person: true},
	"password.reset":       {Person: true, Admins: true},
	"password.expiring":    {Person: true},
	"password.expired":     {Person: true},
	"principal.expiring":   {Person: true},
	"principal.expired":    {Person: true, Admins: true},
	"cert.expiring":        {Person: true, Admins: true},
	"cert.expired":         {Person: true, Admins: true},
	"cert.issued":          {Person: true},
	"cert.removed":         {Person: true},
	"group.created":        {Admins: true},
	"group.deleted":        {Admins: true},
	"group.renamed":        {Admins: true},
	"group.member-added":   {Person: true},
	"group.member-removed": {Person: true},
	"host.enrolled":        {Admins: true},
	"host.deleted":         {Admins: true},
	"service.added":        {Admins: true},
	"service.deleted":      {Admins: true},
	"policy.changed":       {Admins: true},
	"watch.degraded":       {Admins: true},
	"watch.recovered":      {Admins: true},
}

// AudienceOf gives who is told of a kind, but for those that an operator excepts by
// patterns like "group.*" (path.Match).
func AudienceOf(kind string, except []string) Audience {
	for _, pattern := range except {
		if ok, err := path.Match(pattern, kind); ok && err == nil {
			return Audience{}
		}
	}
	return audiences[kind]
}
