package redis

import (
	"reflect"
	"testing"

	"rouse/session"
	"rouse/store"
)

// What is read is read again as it was written, whatever stands in Redis; what cannot
// be read is an error, and never a panic.

// someAccount has a value in every field that an account may have.
func someAccount() session.Account {
	phone := session.Address{Service: "push.example.org", Node: "n 1"}
	return session.Account{
		Sessions:  map[string]session.Session{"s": {Resource: "phone", Client: "c", State: session.Delayed, Epoch: 3, Counter: 9, Out: 12, Acked: 10, Covered: [session.NumClasses]uint64{0, 0, 0, 0, 0, 7}, Told: session.Mark{Node: "n@a", Epoch: 3, Seq: 4}}},
		Endpoints: map[session.Address]session.Endpoint{phone: {Owner: "s", Resource: "phone", Client: "c", Secret: "x", Enabled: noon, Told: session.Mark{Node: "n@b", Epoch: 3, Seq: 5}, Woken: noon, WokenAs: session.Call, Dead: "gone"}},
		Progress:  []session.Progress{{Node: "n@a", Epoch: 4, Counter: 12}},
		Ended:     []session.Ending{{Session: "old", Epoch: 2, Counter: 8, At: noon}},
		Seen:      []session.Sighting{{Key: "id", At: noon, Woken: []session.Address{phone}}},
		Devices:   []session.Device{{Node: "n 1", Since: noon, At: noon.Add(1)}},
		Serial:    1<<64 - 1, Epoch: 3, Counter: 11,
	}
}

func FuzzOwner(f *testing.F) {
	f.Add(string(appendOwner(nil, 1, count(someAccount()).String(), someAccount())))
	f.Add(string(appendOwner(nil, 1<<64-1, "", session.Account{})))
	f.Add("AAAAAAAAAAE h1e1[{\"s\":[3]}]")
	f.Add("AAAAAAAAAAE [0,0,0,0,{\"a b\":[]},[[]],[[\"k\",1,\"a b\"]]]")
	f.Add("AAAAAAAAAAE [{\"s\":[9]}]")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseOwner(text)
		if err != nil {
			return
		}
		again, err := parseOwner(string(appendOwner(nil, o.version, o.counts, o.account)))
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Errorf("read %+v\nthen %+v, %v", o, again, err)
		}
	})
}

func FuzzWake(f *testing.F) {
	row, err := wakeRow(session.Wake{Serial: 5, Count: 2, Sent: 1, Attempt: 3, Rule: "a3 late", Since: noon, Due: noon, Lease: noon})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Add("0000000000000000000 0000000000000000000 - 0 0 0 0 0000000000000000000 ")
	f.Add("0000000000000000000 0000000000000000000 p1 -1 +1 0x 0 000000000000000000 b")
	f.Fuzz(func(t *testing.T, text string) {
		w, _, err := parseWake(text)
		if err != nil {
			return
		}
		row, err := wakeRow(w)
		if err != nil {
			t.Fatal(err)
		}
		if again, _, err := parseWake(row); err != nil || again != w {
			t.Errorf("read %+v, then %+v, %v", w, again, err)
		}
	})
}

func FuzzReason(f *testing.F) {
	row, err := reasonRow(session.Reason{At: noon, Rule: "b", Event: session.Queue, Verdict: session.Woke, Class: session.Message, Endpoint: session.Address{Service: "p", Node: "n"}, Session: "s", Why: "\"<\u2028\xff"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(row)
	f.Add("1772366400000000000 []")
	f.Add("1772366400000000000 [0,0,0,\"dream\"]")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReason(text)
		if err != nil {
			return
		}
		row, err := reasonRow(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseReason(row); err != nil || again != r {
			t.Errorf("read %+v, then %+v, %v", r, again, err)
		}
	})
}

func FuzzRegistration(f *testing.F) {
	for _, r := range []session.Registration{
		{App: "chat-ios", Token: "t", Device: "0123456789abcdef0123456789abcdef01234567", Domain: "example.org", Updated: noon},
		{App: "a\nb", Token: "=AAAA", Device: "=x", Updated: noon, Dead: "apns: 410", Died: noon},
		{App: "", Dead: "asked", Died: noon},
	} {
		f.Add(registrationRow(r))
	}
	f.Add("live \"a\"\n[]")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRegistration("n", text)
		if err != nil {
			return
		}
		if again, err := parseRegistration("n", registrationRow(r)); err != nil || again != r {
			t.Errorf("read %+v, then %+v, %v", r, again, err)
		}
	})
}

func FuzzReporter(f *testing.F) {
	f.Add(reporterRow(store.Reporter{Host: "h", Epoch: 1<<64 - 1, Seq: 2, Wanted: true, Picture: 7}))
	f.Add("[]")
	f.Add("[0,0,false,-1]")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReporter("h", text)
		if err != nil {
			return
		}
		if again, err := parseReporter("h", reporterRow(r)); err != nil || again != r {
			t.Errorf("read %+v, then %+v, %v", r, again, err)
		}
	})
}

func FuzzKey(f *testing.F) {
	f.Add(key(store.Shard(juliet), pendingKind, juliet))
	f.Add("{0}processes")
	f.Add("{01}o")
	f.Add("{7}m:}{")
	f.Fuzz(func(t *testing.T, text string) {
		p, ours := parse(text)
		if ours && key(p.shard, p.kind, p.name) != text {
			t.Errorf("%q is taken for %+v", text, p)
		}
	})
}

func FuzzMember(f *testing.F) {
	f.Add(member(juliet, field(phone)))
	f.Add("3 a b call s n o d e")
	f.Add("0  nothing  ")
	f.Add("-1 x call s n")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parseMember(text)
		if !ok {
			return
		}
		if again, ok := parseMember(member(id.owner, field(id.key))); !ok || again != id {
			t.Errorf("read %+v, then %+v", id, again)
		}
	})
}

// Redis' answers to INFO and CLUSTER SLOTS are read, whatever they are.
func FuzzInfo(f *testing.F) {
	f.Add("# Server\r\nredis_version:7.0.15\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=1,lag=0\r\n", "7.0.15")
	f.Add(":", "7")
	f.Fuzz(func(t *testing.T, text, version string) {
		for name := range infoFields(text) {
			if len(name) > len(text) {
				t.Errorf("a field %q of %q", name, text)
			}
		}
		if atLeast(version, 7, 2) && !atLeast(version, 7, 0) {
			t.Errorf("%q is at least 7.2 and not 7.0", version)
		}
	})
}
