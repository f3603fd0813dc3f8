package webpush

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"rouse/push"
	"rouse/push/pushtest"
	"rouse/session"
)

// names is a resolver that answers by a function; nil from it, or no function:
// there is no such host.
func names(t *testing.T, lookup func(host string) []netip.Addr) *net.Resolver {
	t.Helper()
	var tasks sync.WaitGroup
	t.Cleanup(tasks.Wait)
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		tasks.Go(func() {
			defer ours.Close()
			for answerQuery(ours, lookup) == nil {
			}
		})
		return theirs, nil
	}}
}

// answerQuery answers one query as a server does over TCP (RFC 7766 §8).
func answerQuery(c net.Conn, lookup func(string) []netip.Addr) error {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	var found []netip.Addr
	if lookup != nil {
		found = lookup(strings.TrimSuffix(q.Name.String(), "."))
	}
	if found == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, ip := range found {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}

// victim is something on a private address that must never be connected to.
type victim struct {
	address string
	done    chan struct{}
	came    int // read it after close
	ln      net.Listener
}

func newVictim(t *testing.T, address string) *victim {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{address: ln.Addr().String(), done: make(chan struct{}), ln: ln}
	go func() {
		defer close(v.done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			v.came++
			c.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-v.done
		if v.came != 0 {
			t.Errorf("%d connections to %s", v.came, v.address)
		}
	})
	return v
}

// publicly has the provider take one address of this machine for a public one.
func publicly(p *Provider, good string) {
	p.dialer.allowed = func(ip netip.Addr) bool { return ip == netip.MustParseAddr(good) }
}

func endpoint(url string) push.Notification {
	return wake(session.Message, url+" "+rfcP256DH+" "+rfcAuth)
}

func refused(t *testing.T, r push.Result) {
	t.Helper()
	if r.Outcome != push.BadRequest || !r.Unfit || r.Reason != "not a public address" || !strings.Contains(r.Remedy, "allow_private") {
		t.Errorf("%+v", r)
	}
}

func TestPrivateAddressesAreNotConnectedTo(t *testing.T) {
	_, port, _ := net.SplitHostPort(newVictim(t, "127.0.0.1:0").address)
	newVictim(t, "[::1]:"+port)
	p := open(t, standIn(t, pushtest.WebPushOptions{}), func(o *Options) { o.AllowPrivate = false })
	for _, host := range []string{"127.0.0.1", "127.1.2.3", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "10.0.0.1", "192.168.1.1", "100.64.0.1",
		"169.254.169.254", "0.0.0.0", "[::]", "224.0.0.1", "[fe80::1]", "[fd00::1]", "[ff02::1]"} {
		refused(t, send(t, p, endpoint("https://"+host+":"+port+"/x")))
	}
}

// What an operator allows is networks of their own; not the metadata of a cloud.
func TestAllowPrivate(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{})
	p := open(t, w)
	for _, host := range []string{"169.254.169.254", "0.0.0.0", "[::]", "224.0.0.1", "[fe80::1]", "[ff02::1]", "[64:ff9b::a9fe:a9fe]"} {
		refused(t, send(t, p, endpoint("https://"+host+"/x")))
	}
	if r := send(t, p, wake(session.Message, w.Subscribe("juliet", ""))); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
}

func TestNamesOfPrivateAddressesAreNotConnectedTo(t *testing.T) {
	_, port, _ := net.SplitHostPort(newVictim(t, "127.0.0.1:0").address)
	newVictim(t, "[::1]:"+port)
	p := open(t, standIn(t, pushtest.WebPushOptions{}), func(o *Options) {
		o.AllowPrivate = false
		o.Resolver = names(t, func(host string) []netip.Addr {
			return map[string][]netip.Addr{
				"four.example.net": {netip.MustParseAddr("127.0.0.1")},
				"six.example.net":  {netip.MustParseAddr("::1")},
				"both.example.net": {netip.MustParseAddr("::1"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")},
			}[host]
		})
	})
	for _, host := range []string{"four.example.net", "six.example.net", "both.example.net"} {
		refused(t, send(t, p, endpoint("https://"+host+":"+port+"/x")))
	}
	refused(t, send(t, p, endpoint("https://localhost:"+port+"/x"))) // from /etc/hosts
}

// A name that is good when it is looked at, and something else when it is used.
func TestRebinding(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{Listen: "127.0.0.2:0", Host: "push.example.net", HTTP1: true})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(w.URL(), "https://"))
	newVictim(t, "127.0.0.1:"+port)
	w.Answer(func(pushtest.Received) *pushtest.Reply { return &pushtest.Reply{GoAway: true} }) // a new connection for each
	var mu sync.Mutex
	answer := []string{"127.0.0.2"}
	rebind := func(to ...string) {
		mu.Lock()
		defer mu.Unlock()
		answer = to
	}
	p := open(t, w, func(o *Options) {
		o.Resolver = names(t, func(string) []netip.Addr {
			mu.Lock()
			defer mu.Unlock()
			var list []netip.Addr
			for _, s := range answer {
				list = append(list, netip.MustParseAddr(s))
			}
			return list
		})
	})
	publicly(p, "127.0.0.2")
	n := wake(session.Message, w.Subscribe("juliet", p.PublicKey()))
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Fatalf("%+v", r)
	}
	rebind("127.0.0.1")
	refused(t, send(t, p, n))

	// Of several addresses the good one is found, and only that one.
	rebind("127.0.0.1", "127.0.0.2")
	if r := send(t, p, n); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
	if len(w.Delivered()) != 2 {
		t.Errorf("%d delivered", len(w.Delivered()))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{Listen: "127.0.0.2:0"})
	v := newVictim(t, "127.0.0.1:0")
	p := open(t, w) // it may connect to the victim, and has no reason to
	n := wake(session.Message, w.Subscribe("juliet", ""))
	for _, status := range []int{301, 302, 303, 307, 308} {
		w.Queue(pushtest.Reply{Status: status, Location: "https://" + v.address + "/x"})
		if r := send(t, p, n); r.Outcome != push.Unavailable || r.Remedy == "" {
			t.Errorf("%d: %+v", status, r)
		}
	}
	if len(w.Received()) != 5 {
		t.Errorf("%d requests", len(w.Received()))
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	v := newVictim(t, "127.0.0.1:0")
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://"+v.address)
	}
	w := standIn(t, pushtest.WebPushOptions{Listen: "127.0.0.2:0", Host: "push.example.net"})
	p := open(t, w, func(o *Options) {
		o.Resolver = names(t, func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.2")} })
	})
	if r := send(t, p, wake(session.Message, w.Subscribe("juliet", ""))); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
}

// A service that sends its answer byte by byte holds nothing up: with the status
// everything is said.
func TestBodyThatDoesNotEnd(t *testing.T) {
	w := standIn(t, pushtest.WebPushOptions{HTTP1: true})
	p := open(t, w)
	w.Queue(pushtest.Reply{Garbage: []byte("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nx"), Hang: true})
	start := time.Now()
	if r := send(t, p, wake(session.Message, w.Subscribe("juliet", ""))); r.Outcome != push.Delivered {
		t.Errorf("%+v", r)
	}
	if took := time.Since(start); took < answerTime || took > answerTime+time.Second {
		t.Errorf("took %v", took)
	}
}
