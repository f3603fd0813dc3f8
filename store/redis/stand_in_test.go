package redis

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// newer stands before a Redis and makes it one of version 7.2: it says so in INFO, and
// answers WAITAOF, as Redis 7.2 does (redis.io, WAITAOF). All else goes to the Redis
// behind it, so that the order of commands in a connection is the real one.
type newer struct {
	target string
	l      net.Listener
	all    sync.WaitGroup

	mu      sync.Mutex
	open    map[net.Conn]bool
	asked   []string          // WAITAOF, as they came
	confirm func(int) string  // what the n-th WAITAOF is answered
	before  map[string]string // the command before a WAITAOF, by what was asked
}

// disks is the answer of Redis when so many have all of it: its own, and its replicas'.
func disks(own, replicas int) string { return fmt.Sprintf("*2\r\n:%d\r\n:%d\r\n", own, replicas) }

func standIn(t *testing.T, target string) *newer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &newer{target: target, l: l, open: make(map[net.Conn]bool), before: make(map[string]string), confirm: func(int) string { return disks(1, 0) }}
	n.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.all.Go(func() { n.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		n.mu.Lock()
		for c := range n.open {
			c.Close()
		}
		n.mu.Unlock()
		n.all.Wait()
	})
	return n
}

func (n *newer) keep(c net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open[c] = true
}

func (n *newer) serve(client net.Conn) {
	defer client.Close()
	redis, err := net.Dial("tcp", n.target)
	if err != nil {
		return
	}
	defer redis.Close()
	n.keep(client)
	n.keep(redis)
	in, answers := bufio.NewReader(client), bufio.NewReader(redis)
	last := ""
	for {
		raw, words, err := frame(in)
		if err != nil || len(words) == 0 {
			return
		}
		name := strings.ToUpper(words[0])
		if name == "WAITAOF" {
			if _, err := io.WriteString(client, n.waitaof(words, last)); err != nil {
				return
			}
			continue
		}
		last = name
		if _, err := redis.Write(raw); err != nil {
			return
		}
		answer, text, err := frame(answers)
		if err != nil {
			return
		}
		if name == "INFO" && len(text) == 1 {
			body := versionLine(text[0])
			answer = fmt.Appendf(nil, "$%d\r\n%s\r\n", len(body), body)
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

func versionLine(info string) string {
	var b strings.Builder
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "redis_version:") {
			line = "redis_version:7.2.4\r\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

func (n *newer) waitaof(words []string, last string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := strings.Join(words, " ")
	n.asked = append(n.asked, asked)
	n.before[asked] = last
	return n.confirm(len(n.asked))
}

func (n *newer) heard() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string(nil), n.asked...)
}

// frame reads one value of RESP2, and gives it as it came, and the texts in it.
func frame(r *bufio.Reader) (raw []byte, texts []string, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, nil, err
	}
	raw = line
	size, _ := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	switch line[0] {
	case '$':
		if size < 0 {
			return raw, nil, nil
		}
		body := make([]byte, size+2)
		if _, err := io.ReadFull(r, body); err != nil {
			return nil, nil, err
		}
		return append(raw, body...), []string{string(body[:size])}, nil
	case '*':
		for range size {
			part, words, err := frame(r)
			if err != nil {
				return nil, nil, err
			}
			raw, texts = append(raw, part...), append(texts, words...)
		}
	}
	return raw, texts, nil
}
