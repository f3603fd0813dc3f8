package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// Severity is how much an event matters.
type Severity string

const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Event is one thing that happened, or will.
type Event struct {
	Kind     string            `json:"kind"` // user.created, password.expiring …; see Kinds
	Severity Severity          `json:"severity"`
	Key      string            `json:"key"` // the same for the same event, however often it is derived
	At       time.Time         `json:"at"`  // when it was noticed
	Of       string            `json:"of"`  // ID of the entry that it is about
	Name     string            `json:"name"`
	People   []string          `json:"people,omitempty"` // IDs of the users whom it concerns
	Text     string            `json:"text"`             // one line
	You      string            `json:"you,omitempty"`    // the same, said to the person whom it concerns
	Fields   map[string]string `json:"fields,omitempty"`
}

// The kinds of events.
const (
	UserCreated       = "user.created"
	UserActivated     = "user.activated"
	StagedCreated     = "staged.created"
	UserPreserved     = "user.preserved"
	UserRestored      = "user.restored"
	UserDeleted       = "user.deleted"
	UserRenamed       = "user.renamed"
	UserChanged       = "user.changed"
	UserDisabled      = "user.disabled"
	UserEnabled       = "user.enabled"
	UserLocked        = "user.locked"
	UserUnlocked      = "user.unlocked"
	LoginFailures     = "user.login-failures"
	PasswordChanged   = "password.changed"
	PasswordReset     = "password.reset"
	PasswordExpiring  = "password.expiring"
	PasswordExpired   = "password.expired"
	PrincipalExpiring = "principal.expiring"
	PrincipalExpired  = "principal.expired"
	CertExpiring      = "cert.expiring"
	CertExpired       = "cert.expired"
	CertIssued        = "cert.issued"
	CertRemoved       = "cert.removed"
	CertRevoked       = "cert.revoked"
	GroupCreated      = "group.created"
	GroupDeleted      = "group.deleted"
	GroupRenamed      = "group.renamed"
	MemberAdded       = "group.member-added"
	MemberRemoved     = "group.member-removed"
	HostEnrolled      = "host.enrolled"
	HostDeleted       = "host.deleted"
	ServiceAdded      = "service.added"
	ServiceDeleted    = "service.deleted"
	PolicyChanged     = "policy.changed"
	WatchDegraded     = "watch.degraded"
	WatchRecovered    = "watch.recovered"
)

// Kinds lists them all.
func Kinds() []string {
	return []string{UserCreated, UserActivated, StagedCreated, UserPreserved, UserRestored, UserDeleted, UserRenamed, UserChanged, UserDisabled, UserEnabled,
		UserLocked, UserUnlocked, LoginFailures, PasswordChanged, PasswordReset, PasswordExpiring, PasswordExpired, PrincipalExpiring, PrincipalExpired,
		CertExpiring, CertExpired, CertIssued, CertRemoved, CertRevoked, GroupCreated, GroupDeleted, GroupRenamed, MemberAdded, MemberRemoved,
		HostEnrolled, HostDeleted, ServiceAdded, ServiceDeleted, PolicyChanged, WatchDegraded, WatchRecovered}
}

// Watch is an event about the observation itself: it fails since a time, for a reason,
// or is well again.
func Watch(kind string, since, at time.Time, why string) Event {
	e := Event{Kind: kind, Severity: Error, At: at, Of: "directory", Name: "directory", Text: "the directory is not followed as it should be: " + why,
		Key: key(kind, since.UTC().Format(time.RFC3339)), Fields: map[string]string{"since": since.UTC().Format(time.RFC3339)}}
	if kind == WatchRecovered {
		e.Severity, e.Text = Info, "the directory is followed again"
	}
	return e
}

// key makes of what tells an event from others a short text.
func key(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}
