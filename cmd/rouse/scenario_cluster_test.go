package main

import (
	"context"
	"testing"

	"rouse/servers/lab"
)

// clustered is a cluster of ejabberds as a scene's server: its first node is who
// rouse connects to.
type clustered struct {
	onEjabberd
	cluster *lab.Cluster
}

func (c clustered) Close() error { return c.cluster.Close() }

// TestTwoNodesOfEjabberd: juliet has a device on each of two nodes, and both are
// woken, on whichever node somebody writes, in whatever order the nodes have
// started. A device whose node is lost is woken for what comes then.
func TestTwoNodesOfEjabberd(t *testing.T) {
	var c *lab.Cluster
	p := prepareOn(t, func(ctx context.Context, dir string, program, env []string) (_ *scene, err error) {
		if c, err = lab.StartCluster(ctx, lab.EjabberdOptions{Dir: dir, Users: cast}, "a", "b"); err != nil {
			return nil, err
		}
		return newSceneOn(clustered{serverOf(c.Nodes[0]).(onEjabberd), c}, dir, program, env)
	})
	p.starts()
	on := func(node int) lab.ClientOptions { return lab.ClientOptions{Addr: c.Nodes[node].ClientAddr()} }
	p.romeo = p.client("romeo", "desk", on(0))
	benvolio := p.client("romeo", "phone", on(1))
	for node, name := range []string{"phone", "tablet"} {
		device := p.client("juliet", name, on(node))
		p.enable(device, name)
		p.sleeps(device)
	}
	p.sends(lab.Chat(juliet, "m1", "body of m1"))
	p.were("phone", "tablet")
	p.must(benvolio.Send(p.ctx, lab.Chat(juliet, "m2", "body of m2")))
	p.were("phone", "tablet", "phone", "tablet")
	p.must(c.Nodes[1].Kill())
	p.must(p.await(p.ctx, "rouse hears that the node is gone", func() bool { return p.logged("a node of the cluster is gone") == 1 }))
	p.sends(lab.Chat(juliet, "m3", "body of m3"))
	p.were("phone", "tablet", "phone", "tablet", "phone", "tablet")
}
