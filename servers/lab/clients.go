package lab

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

//go:embed client.py
var clientProgram string

// Clients is a process that holds any number of XMPP clients (Debian's
// slixmpp). One is enough for a whole test program. Safe for concurrent use.
type Clients struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	done   chan struct{} // closed when the reading goroutine has ended
	stderr *os.File

	mu      sync.Mutex
	nextID  int
	waiting map[int]chan answer
	clients map[string]*Client
	dead    error
}

// request is one line to client.py; args are the fields that a command has beside these.
type request map[string]any

// answer is one line from client.py: the answer to a request, or an event.
type answer struct {
	ID      int    `json:"id"`
	Error   string `json:"error"`
	XML     string `json:"xml"`
	Resumed bool   `json:"resumed"`
	JID     string `json:"jid"`
	Client  string `json:"client"`
	Event   string `json:"event"`
}

// StartClients starts the process. What Python complains about goes to a
// temporary file and into errors.
func StartClients() (*Clients, error) {
	if err := CheckClients(); err != nil {
		return nil, err
	}
	stderr, err := os.CreateTemp("", "rouse-clients-")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(python, "-c", clientProgram)
	cmd.Stderr = stderr
	dieWithParent(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	c := &Clients{cmd: cmd, stdin: stdin, stderr: stderr, done: make(chan struct{}),
		waiting: map[int]chan answer{}, clients: map[string]*Client{}}
	go c.read(stdout)
	return c, nil
}

// read hands answers to those who wait for them and events to their clients.
func (c *Clients) read(stdout io.Reader) {
	defer close(c.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			continue // Python libraries may print; that is no answer
		}
		c.mu.Lock()
		wait, client := c.waiting[a.ID], c.clients[a.Client]
		delete(c.waiting, a.ID)
		c.mu.Unlock()
		switch {
		case a.Event != "" && client != nil:
			client.receive(a)
		case a.Event == "" && wait != nil:
			wait <- a
		}
	}
	err := errors.Join(lines.Err(), c.cmd.Wait())
	said, _ := os.ReadFile(c.stderr.Name())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = fmt.Errorf("lab: the clients' process has ended: %v\n%s", err, said)
	for id, wait := range c.waiting {
		wait <- answer{ID: id, Error: c.dead.Error()}
	}
	clear(c.waiting)
}

// call sends one request and waits for its answer.
func (c *Clients) call(ctx context.Context, client, do string, args request) (answer, error) {
	wait := make(chan answer, 1)
	c.mu.Lock()
	if c.dead != nil {
		defer c.mu.Unlock()
		return answer{}, c.dead
	}
	c.nextID++
	id := c.nextID
	c.waiting[id] = wait
	line := request{"id": id, "client": client, "do": do}
	for k, v := range args {
		line[k] = v
	}
	b, err := json.Marshal(line)
	if err == nil {
		_, err = c.stdin.Write(append(b, '\n'))
	}
	c.mu.Unlock()
	if err != nil {
		return answer{}, fmt.Errorf("lab: %s: %w", do, err)
	}
	select {
	case a := <-wait:
		if a.Error != "" {
			return a, fmt.Errorf("lab: %s: %s: %s", client, do, a.Error)
		}
		return a, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
		return answer{}, fmt.Errorf("lab: %s: %s: %w", client, do, ctx.Err())
	}
}

// Close ends the process; connections that are still open break off.
func (c *Clients) Close() error {
	err := c.stdin.Close()
	<-c.done
	return errors.Join(err, c.stderr.Close(), os.Remove(c.stderr.Name()))
}
