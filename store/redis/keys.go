package redis

import (
	"strconv"
	"strings"

	"rouse/session"
	"rouse/store"
)

// Kinds of keys, as they stand behind the shard tag. doc.go describes them.
const (
	pendingKind      = "p:"
	reasonsKind      = "r:"
	registrationKind = "g:"
	reporterKind     = "h:"
	keptKind         = "m:"
	toldKind         = "told:"
	ownersName       = "o"
	dueName          = "due"
	countersName     = "c"
	formatName       = "format"
	processesName    = "processes"
	aliveName        = "alive"
	leasesName       = "leases"
	probeName        = "probe"
)

// key names something in a shard. The tag in braces makes Redis Cluster keep
// all keys of a shard in one slot.
func key(shard int, kind, name string) string {
	b := make([]byte, 0, 8+len(kind)+len(name))
	b = append(b, '{')
	b = strconv.AppendInt(b, int64(shard), 10)
	b = append(b, '}')
	b = append(b, kind...)
	return string(append(b, name...))
}

// parsed is a key taken apart.
type parsed struct {
	shard int
	kind  string
	name  string // empty for the names that each shard has one of
}

// parse takes a key apart; false: it is not one of ours.
func parse(k string) (parsed, bool) {
	tag, rest, found := strings.Cut(k, "}")
	if !found || !strings.HasPrefix(tag, "{") {
		return parsed{}, false
	}
	n, err := strconv.Atoi(tag[1:])
	if err != nil || n < 0 || n >= store.Shards || strconv.Itoa(n) != tag[1:] {
		return parsed{}, false
	}
	for _, kind := range []string{pendingKind, reasonsKind, registrationKind, reporterKind, keptKind, toldKind} {
		if name, ok := strings.CutPrefix(rest, kind); ok {
			// What a key is about decides where it lies.
			return parsed{n, kind, name}, kind == toldKind && n == 0 || kind != toldKind && store.Shard(name) == n
		}
	}
	switch rest {
	case ownersName, dueName, countersName, probeName:
		return parsed{n, rest, ""}, true
	case formatName, processesName, aliveName, leasesName:
		return parsed{n, rest, ""}, n == 0
	}
	return parsed{}, false
}

// field names a pending wake within its owner: class, service and node. No JID
// domain contains a space, so the node is what is left.
func field(k session.WakeKey) string {
	return k.Class.String() + " " + k.Service + " " + k.Node
}

func parseField(s string) (session.WakeKey, error) {
	class, rest, _ := strings.Cut(s, " ")
	c, err := session.ParseClass(class)
	if err != nil {
		return session.WakeKey{}, err
	}
	service, node, _ := strings.Cut(rest, " ")
	return session.WakeKey{Address: session.Address{Service: service, Node: node}, Class: c}, nil
}

// member names a pending wake within its shard: how long the owner's key is, the
// key, and the field. The scripts make the same.
func member(owner, field string) string {
	return strconv.Itoa(len(owner)) + " " + owner + " " + field
}

func parseMember(s string) (wakeID, bool) {
	length, rest, _ := strings.Cut(s, " ")
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n >= len(rest) || rest[n] != ' ' {
		return wakeID{}, false
	}
	k, err := parseField(rest[n+1:])
	return wakeID{rest[:n], k}, err == nil
}

// wakeID names a pending wake.
type wakeID struct {
	owner string
	key   session.WakeKey
}
