package apns

import (
	"strings"
	"testing"

	"rouse/push/pushtest"
)

func TestCheck(t *testing.T) {
	a := standIn(t, pushtest.APNsOptions{})
	good := options(t, a)
	key := func(p8 []byte, id, team string) Options {
		o := good
		k, err := NewKey(p8, id, team, nil)
		if err != nil {
			t.Fatal(err)
		}
		o.Key = k
		return o
	}
	other := good
	other.Topic = "org.example.other"
	for name, c := range map[string]struct {
		opts Options
		want string // in the error; empty: none
	}{
		"fine":          {good, ""},
		"another key":   {key(standIn(t, pushtest.APNsOptions{}).Key(), a.KeyID(), a.TeamID()), "key_file"},
		"another id":    {key(a.Key(), "OTHERKEY01", a.TeamID()), "key_id"},
		"another team":  {key(a.Key(), a.KeyID(), "OTHERTEAM1"), "team_id"},
		"another topic": {other, "topic"},
	} {
		err := open(t, c.opts).Check(t.Context())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(a.Delivered()) != 0 {
		t.Error("a check woke a device")
	}
	a.Close()
	if err := open(t, good).Check(t.Context()); err == nil {
		t.Error("nobody is there, and the check is content")
	}
}
