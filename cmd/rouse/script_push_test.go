package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rouse/gateway"
	"rouse/push/pushtest"
	"rouse/session"
	"rouse/store"
)

// pushes puts devices with tokens that the stand-ins take into rouse.db: juliet's
// phone, which is owed a wake in an hour, romeo's, and two of the nurse's.
func (g *stage) pushes(ts *testscript.TestScript, _ []string) {
	st := theStore(ts, "sqlite:rouse.db")
	defer func() { ts.Check(st.Close()) }()
	nodes, err := gateway.NewNodes(scriptKey)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("rouse.key"), []byte(scriptKey), 0o600))
	now := time.Now().UTC()
	items := []store.Item{{Name: "node-key", Value: nodes.Fingerprint()}}
	have := func(account string, list ...string) {
		a := session.Account{Serial: 1}.Clone()
		for _, node := range list {
			at := session.Address{Service: "push.example.org", Node: node}
			a.Endpoints[at] = session.Endpoint{Enabled: now}
			if node == "phone" {
				a.Pending[session.WakeKey{Address: at, Class: session.Message}] = session.Wake{Serial: 1, Count: 1, Rule: "b", Since: now, Due: now.Add(time.Hour)}
			}
			r := session.Registration{Node: node, App: "chat-ios", Token: pushtest.APNsToken(node), Device: "d3v1c3", Domain: "example.org", Updated: now}
			if node == "pixel" {
				r.App, r.Token = "chat-android", pushtest.FCMToken(node)
			}
			items = append(items, store.Item{Registration: r})
		}
		items = append(items, store.Item{Owner: store.Owner{Key: account, Account: a}})
	}
	have("juliet@example.org", "phone")
	have("romeo@example.org", "pixel")
	have("nurse@example.org", "phone2", "tablet")
	ts.Check(st.Put(context.Background(), items))
}

// pushed wants the last push that APNs took to be for a device, and of a type.
func (g *stage) pushed(ts *testscript.TestScript, args []string) {
	all := g.apns.Delivered()
	if len(all) == 0 {
		ts.Fatalf("nothing was pushed")
	}
	if last := all[len(all)-1]; last.Token != pushtest.APNsToken(args[0]) || last.PushType != args[1] {
		ts.Fatalf("the last push was %q for %s", last.PushType, last.Token)
	}
}

// answers has a stand-in answer the next push so.
func (g *stage) answers(ts *testscript.TestScript, args []string) {
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	reply := pushtest.Reply{Status: status, Reason: strings.Join(args[2:], " ")}
	switch args[0] {
	case "apns":
		g.apns.Queue(reply)
	case "fcm":
		g.fcm.Queue(reply)
	case "google":
		g.fcm.QueueOAuth(reply)
	default:
		ts.Fatalf("there is no stand-in %q", args[0])
	}
}

// refuses has a stand-in refuse our credentials, whatever the token.
func (g *stage) refuses(ts *testscript.TestScript, args []string) {
	status, err := strconv.Atoi(args[1])
	ts.Check(err)
	reply := pushtest.Reply{Status: status, Reason: args[2]}
	switch args[0] {
	case "apns":
		g.apns.Refuse(reply)
	case "fcm":
		g.fcm.Refuse(reply)
	default:
		ts.Fatalf("there is no stand-in %q", args[0])
	}
}

func (g *stage) clock() time.Time { return time.Now().Add(time.Duration(g.ahead.Load())) }

func (g *stage) setClock(ts *testscript.TestScript, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	g.ahead.Store(int64(d))
}
