package notice

import "path"

// Role is why somebody may be told of a notice.
type Role string

const (
	You     Role = "you"     // it concerns them
	Manager Role = "manager" // of what it is about
	Named   Role = "named"   // its source named them
	Admin   Role = "admin"   // an administrator
	Room    Role = "room"    // a room of the configuration
	Program Role = "program" // a program of the configuration
)

// Audience is who is told of a kind of event, unless they choose otherwise.
type Audience struct {
	Person   bool // the one whom it concerns
	Managers bool
	Admins   bool
}

// Has reports whether a role is in the audience. Rooms hear what administrators do;
// who was named, and programs, get everything.
func (a Audience) Has(r Role) bool {
	switch r {
	case You:
		return a.Person
	case Manager:
		return a.Managers
	case Admin, Room:
		return a.Admins
	}
	return true
}

// audiences are those of the kinds of package directory.
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
	"cert.expiring":        {Person: true, Managers: true, Admins: true},
	"cert.expired":         {Person: true, Managers: true, Admins: true},
	"cert.issued":          {Person: true, Managers: true},
	"cert.removed":         {Person: true, Managers: true},
	"cert.revoked":         {Person: true, Managers: true, Admins: true},
	"group.created":        {Admins: true},
	"group.deleted":        {Admins: true},
	"group.renamed":        {Managers: true, Admins: true},
	"group.member-added":   {Person: true, Managers: true},
	"group.member-removed": {Person: true, Managers: true},
	"host.enrolled":        {Admins: true},
	"host.deleted":         {Admins: true},
	"service.added":        {Admins: true},
	"service.deleted":      {Admins: true},
	"policy.changed":       {Admins: true},
	"watch.degraded":       {Admins: true},
	"watch.recovered":      {Admins: true},
}

// fromDirectory is the source of what package directory tells.
const fromDirectory = "directory"

// AudienceOf gives who is told of a notice, but for kinds that an operator excepts by
// patterns like "group.*" (path.Match). What does not come from the directory is for
// those whom its source named, or else for administrators.
func AudienceOf(n *Notice, except []string) Audience {
	for _, pattern := range except {
		if ok, err := path.Match(pattern, n.Kind); ok && err == nil {
			return Audience{}
		}
	}
	if a, ok := audiences[n.Kind]; ok && n.Source == fromDirectory {
		return a
	}
	return Audience{Person: true, Managers: true, Admins: len(n.To)+len(n.People) == 0}
}
