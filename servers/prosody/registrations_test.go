package prosody_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"rouse/servers/lab"
)

// fingerprint is how docs/events.md shows a publish secret.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:16])
}

func TestRegistrations(t *testing.T) {
	r := newRig(t)
	phone, tablet := r.login("alice/phone"), r.login("alice/tablet")
	reg := lab.Registration{Service: "push.elsewhere.example", Node: "node1", Secret: "s3cret"}
	r.check(phone.EnablePush(r.ctx, reg))
	enable := r.event("enable", "user", "alice")
	r.want(enable, "service", reg.Service, "node", "node1", "secret", fingerprint("s3cret"), "resource", "phone")
	if enable.attr("sid") == "" {
		t.Errorf("%v: no sid", enable)
	}
	reg.Secret = "another"
	r.check(phone.EnablePush(r.ctx, reg))
	r.want(r.event("enable", "user", "alice"), "secret", fingerprint("another"), "sid", enable.attr("sid"))
	reg.Node, reg.Secret = "node2", ""
	r.check(phone.EnablePush(r.ctx, reg))
	r.want(r.event("enable", "user", "alice"), "secret", "", "node", "node2")
	r.nothing("disable")

	// Any client may disable any registration, and without a node all of a service.
	r.check(tablet.DisablePush(r.ctx, reg.Service, "node1"))
	r.want(r.event("disable", "user", "alice"), "service", reg.Service, "node", "node1", "sid", "")
	r.check(tablet.DisablePush(r.ctx, reg.Service, "node1"))
	r.nothing("disable", "enable")
	for i := range 5 { // node2 is the oldest of six and goes
		reg.Node = fmt.Sprintf("node-%c", 'a'+i)
		r.check(phone.EnablePush(r.ctx, reg))
	}
	r.want(r.event("disable", "user", "alice"), "node", "node2")
	r.event("enable", "user", "alice", "node", "node-e")
	r.check(phone.DisablePush(r.ctx, reg.Service, ""))
	gone := map[string]bool{}
	for range 5 {
		gone[r.event("disable", "user", "alice").attr("node")] = true
	}
	if len(gone) != 5 {
		t.Errorf("gone are %v, want all five", gone)
	}
	r.nothing("disable", "enable")
}

func TestDeleted(t *testing.T) {
	r := newRig(t)
	phone := r.login("carol/phone")
	r.check(phone.EnablePush(r.ctx, lab.Registration{Service: "push.elsewhere.example", Node: "n"}))
	r.event("enable", "user", "carol")
	_, err := r.p.Shell(r.ctx, `user:delete("`+r.jid("carol")+`")`)
	r.check(err)
	r.event("ended", "user", "carol")
	r.event("deleted", "user", "carol", "sid", "")
}
