package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// NodeOptions make an ejabberd a node that can be clustered. Erlang's nodes talk
// over 127.0.0.1 only, and find each other through an epmd of their own.
type NodeOptions struct {
	Name   string // such as "a@127.0.0.1"; "": ejabberd runs without distribution
	Cookie string
	Epmd   int // port
}

// flags are what the emulator needs to know of it.
func (n NodeOptions) flags() []string {
	if n.Name == "" {
		return nil
	}
	return []string{"-name", n.Name, "-setcookie", n.Cookie, "-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"}
}

func (n NodeOptions) env() []string {
	return []string{fmt.Sprintf("ERL_EPMD_PORT=%d", n.Epmd), "ERL_EPMD_ADDRESS=127.0.0.1"}
}

// Cluster is some ejabberds that serve one host together. Each has its own
// listeners; accounts, registrations and the archive are common.
type Cluster struct {
	Nodes []*Ejabberd
	epmd  *process
}

// StartCluster starts one ejabberd for each name and joins the others to the
// first. opt is for all of them; each gets a directory of its own below opt.Dir.
func StartCluster(ctx context.Context, opt EjabberdOptions, names ...string) (*Cluster, error) {
	c := &Cluster{}
	if err := c.start(ctx, opt, names); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, opt EjabberdOptions, names []string) error {
	port, release, err := FreePort()
	if err != nil {
		return err
	}
	if err := release(); err != nil {
		return err
	}
	node := NodeOptions{Cookie: rand.Text(), Epmd: port}
	cmd := exec.Command("epmd", "-port", fmt.Sprint(port), "-address", "127.0.0.1")
	cmd.Env = append(os.Environ(), node.env()...)
	dieWithParent(cmd)
	if c.epmd, err = begin(cmd, filepath.Join(opt.Dir, "epmd.out")); err != nil {
		return err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if err := c.epmd.await(ctx, func(ctx context.Context) error { return takesConnections(ctx, addr) }); err != nil {
		return fmt.Errorf("lab: epmd does not listen on %s: %w", addr, err)
	}
	dir, users := opt.Dir, opt.Users
	for i, name := range names {
		node.Name = name + "@127.0.0.1"
		opt.Node, opt.Dir = node, filepath.Join(dir, name)
		if opt.Users = nil; i == 0 {
			opt.Users = users // the others get them with the database
		}
		e, err := StartEjabberd(ctx, opt)
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, e)
		if i > 0 {
			if err := e.join(ctx, c.Nodes[0].opt.Node.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// join is what `ejabberdctl join_cluster` does: the node starts anew with the
// other's database. It ends whatever runs in ejabberd, the one who asks included.
func (e *Ejabberd) join(ctx context.Context, other string) error {
	_, err := e.Eval(ctx, fmt.Sprintf(`spawn(fun() -> group_leader(whereis(init), self()), timer:sleep(200), ok = ejabberd_cluster:join('%s') end).`, other))
	if err != nil {
		return err
	}
	err = poll(ctx, 2*time.Minute, e.running.done, func(ctx context.Context) error {
		nodes, err := e.Eval(ctx, `ejabberd_cluster:get_nodes().`)
		if err == nil && !strings.Contains(nodes, other) {
			err = errors.New("the nodes are " + nodes)
		}
		if err == nil {
			err = takesConnections(ctx, e.ClientAddr())
		}
		if err == nil {
			err = takesConnections(ctx, e.ComponentAddr())
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("lab: %s does not join %s: %w\n%s\n%s", e.opt.Node.Name, other, err, tail(e.path("ejabberd.out"), 30), e.LogTail(30))
	}
	return nil
}

// Close kills all of it.
func (c *Cluster) Close() error {
	var errs []error
	for _, e := range c.Nodes {
		errs = append(errs, e.Close())
	}
	if c.epmd != nil {
		errs = append(errs, c.epmd.kill())
	}
	return errors.Join(errs...)
}
