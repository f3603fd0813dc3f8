package directory

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// View is what is known of other entries.
type View interface {
	// Name gives what the entry with that ID is called; empty: there is none.
	Name(id string) string

	// Lockout is when too many failed logins lock an account.
	Lockout(e *Entry) Lockout
}

// Options are what an operator may choose.
type Options struct {
	Server   string // that was asked: FreeIPA counts failed logins on each by itself
	Failures int    // failed logins that are told before they lock the account; 0: none
}

// Diff gives what happened to an entry between two states of it; nil is that it was not
// there. What one action does at once is one event, and what only the server's plugins
// keep for themselves (memberOf, modifyTimestamp) is none.
func Diff(v View, o Options, old, now *Entry, at time.Time) []Event {
	d := &diff{view: v, options: o, old: old, now: now, at: at}
	switch {
	case old == nil && now == nil:
	case old == nil:
		d.appeared()
	case now == nil:
		d.vanished()
	case old.Type != now.Type:
		d.moved()
	default:
		d.changed()
	}
	return d.events
}

type diff struct {
	view     View
	options  Options
	old, now *Entry
	at       time.Time
	events   []Event
}

// entry is the newest state.
func (d *diff) entry() *Entry {
	if d.now != nil {
		return d.now
	}
	return d.old
}

// stamp tells one change of an entry from a later one that looks the same.
func (d *diff) stamp() string { return d.entry().Get("modifytimestamp") }

// say adds an event about the entry.
func (d *diff) say(kind string, s Severity, text, you string, fields map[string]string, unlike ...string) *Event {
	e := d.entry()
	ev := Event{Kind: kind, Severity: s, At: d.at, Of: e.ID, Name: e.Name(), Text: text, You: you, Fields: fields,
		Key: key(append([]string{e.ID, kind}, unlike...)...)}
	if e.Type.Person() {
		ev.People = []string{e.ID}
	}
	d.events = append(d.events, ev)
	return &d.events[len(d.events)-1]
}

func (d *diff) appeared() {
	name := d.now.Name()
	switch created := d.now.Get("createtimestamp"); d.now.Type {
	case User:
		d.say(UserCreated, Info, "user "+name+" was created", "your account "+name+" was created", d.who(), created)
	case Staged:
		d.say(StagedCreated, Info, "staged user "+name+" was created", "", d.who(), created)
	case Group:
		d.say(GroupCreated, Info, "group "+name+" was created", "", d.by(nil), created)
		d.members(nil, d.now.Members)
	case Host:
		d.enrolled()
	case Service:
		d.say(ServiceAdded, Info, "service "+name+" was added", "", d.by(nil), created)
	}
	if d.now.Type == Host || d.now.Type == Service {
		d.certificates()
	}
}

func (d *diff) vanished() {
	name, was := d.old.Name(), d.old.Get("modifytimestamp")
	switch d.old.Type {
	case User, Preserved:
		d.say(UserDeleted, Warning, "user "+name+" was deleted", "your account "+name+" was deleted", d.who(), was)
	case Group:
		d.say(GroupDeleted, Info, "group "+name+" was deleted", "", nil, was)
	case Host:
		d.say(HostDeleted, Info, "host "+name+" was deleted", "", nil, was)
	case Service:
		d.say(ServiceDeleted, Info, "service "+name+" was deleted", "", nil, was)
	}
}

// moved: FreeIPA keeps users at different times of their life in different places.
func (d *diff) moved() {
	name := d.now.Name()
	switch from, to := d.old.Type, d.now.Type; {
	case from == Staged && to == User:
		d.say(UserActivated, Info, "staged user "+name+" was activated", "your account "+name+" was created", d.who(), d.stamp())
	case from == User && to == Preserved:
		d.say(UserPreserved, Warning, "user "+name+" was deleted, and is kept", "your account "+name+" was deleted", d.who(), d.stamp())
	case from == Preserved && to == User:
		d.say(UserRestored, Warning, "user "+name+" was restored", "your account "+name+" was restored", d.who(), d.stamp())
	case to == Staged:
		d.say(StagedCreated, Info, "user "+name+" was staged", "", d.who(), d.stamp())
	case from == Other:
		d.old = nil
		d.appeared()
	case to == Other:
		d.now = nil
		d.vanished()
	}
}

func (d *diff) changed() {
	switch d.now.Type {
	case User:
		d.renamed(UserRenamed, "user")
		d.attributes()
		d.disabled()
		d.locked()
		d.password()
		d.certificates()
	case Group:
		d.renamed(GroupRenamed, "group")
		d.members(d.old.Members, d.now.Members)
	case Host:
		d.enrolled()
		d.certificates()
	case Service:
		d.certificates()
	case Policy:
		d.policy()
	}
}

func (d *diff) renamed(kind, what string) {
	if from, to := d.old.Name(), d.now.Name(); from != to {
		you := ""
		if what == "user" {
			you = "your account " + from + " is called " + to + " now"
		}
		d.say(kind, Info, what+" "+from+" is called "+to+" now", you, d.by(map[string]string{"from": from, "to": to}), from, to)
	}
}

// who are the fields of a user.
func (d *diff) who() map[string]string { return d.by(Fields(d.entry())) }

// Fields is what notices tell of a user, beside their name.
func Fields(e *Entry) map[string]string {
	f := make(map[string]string)
	for name, attr := range map[string]string{"user": "uid", "name": "cn", "mail": "mail", "home": "homedirectory", "shell": "loginshell", "uid": "uidnumber", "gid": "gidnumber"} {
		if v := e.Get(attr); v != "" {
			f[name] = v
		}
	}
	return f
}

// by adds who did it, where the server says so and no plugin did.
func (d *diff) by(f map[string]string) map[string]string {
	if d.now == nil {
		return f
	}
	if who := d.now.Get("modifiersname"); who != "" && !strings.HasSuffix(Fold(who), "cn=plugins,cn=config") {
		if f = maps.Clone(f); f == nil {
			f = map[string]string{}
		}
		f["by"] = who
	}
	return f
}

// told are the attributes of a user whose changes are told, with what they are called.
var told = []struct{ attr, name string }{
	{"mail", "mail"}, {"telephonenumber", "telephone"}, {"mobile", "mobile"}, {"loginshell", "shell"}, {"homedirectory", "home"}, {"ipasshpubkey", "ssh keys"},
	{"givenname", "given name"}, {"sn", "surname"}, {"displayname", "display name"}, {"employeenumber", "employee number"}, {"manager", "manager"},
	{"uidnumber", "uid number"}, {"gidnumber", "gid number"},
}

func (d *diff) attributes() {
	var names, unlike []string
	f := map[string]string{}
	for _, a := range told {
		before, after := d.old.Attrs[a.attr], d.now.Attrs[a.attr]
		if slices.Equal(before, after) {
			continue
		}
		names = append(names, a.name)
		unlike = append(unlike, a.attr, strings.Join(after, "\n"))
		if a.attr != "ipasshpubkey" {
			f["old "+a.name], f["new "+a.name] = strings.Join(before, ", "), strings.Join(after, ", ")
		}
	}
	if len(names) == 0 {
		return
	}
	f["changed"] = strings.Join(names, ", ")
	name := d.now.Name()
	d.say(UserChanged, Info, f["changed"]+" of user "+name+" changed", "your "+f["changed"]+" changed", d.by(f), append(unlike, d.stamp())...)
}

func (d *diff) disabled() {
	name, was, is := d.now.Name(), d.old.Disabled(), d.now.Disabled()
	switch {
	case is && !was:
		d.say(UserDisabled, Warning, "user "+name+" was disabled", "your account "+name+" was disabled", d.by(nil), d.stamp())
	case was && !is:
		d.say(UserEnabled, Warning, "user "+name+" was enabled again", "your account "+name+" was enabled again", d.by(nil), d.stamp())
	}
}

// password: that it changed shows by its time. It was reset where it runs out at once,
// where ppolicy says so, or where somebody else set it.
func (d *diff) password() {
	attr := "krblastpwdchange"
	if d.now.Get(attr) == "" {
		attr = "pwdchangedtime"
	}
	at := d.now.Get(attr)
	if at == "" || at == d.old.Get(attr) {
		return
	}
	name, changed, expires := d.now.Name(), parseTime(at), d.now.Time("krbpasswordexpiration")
	who := Fold(d.now.Get("modifiersname"))
	other := strings.HasPrefix(who, "uid=") && who != Fold(d.now.DN)
	if d.now.Has("pwdreset", "true") || !expires.IsZero() && !expires.After(changed.Add(time.Minute)) || other {
		d.say(PasswordReset, Warning, "the password of "+name+" was reset", "your password was reset: you are asked for a new one at the next login", d.by(nil), at)
		return
	}
	d.say(PasswordChanged, Info, "the password of "+name+" changed", "your password changed. If that was not you, tell an administrator", d.by(nil), at)
}

// members: who came into a group, and who left.
func (d *diff) members(before, after []string) {
	group := d.now.Name()
	for _, change := range []struct {
		list, other    []string
		kind, did, you string
	}{
		{after, before, MemberAdded, " was added to group ", "you were added to group "},
		{before, after, MemberRemoved, " was removed from group ", "you were removed from group "},
	} {
		for _, id := range change.list {
			if slices.Contains(change.other, id) {
				continue
			}
			name := d.view.Name(id)
			if name == "" && change.kind == MemberRemoved && !strings.HasPrefix(id, "dn:") {
				continue // who was deleted is in no group any more
			}
			if name == "" {
				name = strings.TrimPrefix(id, "dn:")
			}
			ev := d.say(change.kind, Info, name+change.did+group, change.you+group, d.by(map[string]string{"group": group, "member": name}), id, d.stamp())
			if !strings.HasPrefix(id, "dn:") {
				ev.People = []string{id}
			}
		}
	}
}

// enrolled: a host has a key from then on.
func (d *diff) enrolled() {
	at := d.now.Get("krblastpwdchange")
	if at == "" || d.old != nil && d.old.Get("krblastpwdchange") != "" {
		return
	}
	d.say(HostEnrolled, Info, "host "+d.now.Name()+" was enrolled", "", d.by(nil), at)
}

func (d *diff) policy() {
	var names []string
	f := map[string]string{}
	for _, attr := range []string{"krbmaxpwdlife", "krbminpwdlife", "krbpwdminlength", "krbpwdmindiffchars", "krbpwdhistorylength", "krbpwdmaxfailure", "krbpwdlockoutduration", "krbpwdfailurecountinterval", "cospriority"} {
		if before, after := d.old.Get(attr), d.now.Get(attr); before != after {
			names = append(names, attr)
			f["old "+attr], f["new "+attr] = before, after
		}
	}
	if len(names) > 0 {
		f["changed"] = strings.Join(names, ", ")
		d.say(PolicyChanged, Warning, "password policy "+d.now.Name()+" changed: "+f["changed"], "", d.by(f), d.stamp(), f["changed"])
	}
}
