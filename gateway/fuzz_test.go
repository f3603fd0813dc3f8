package gateway_test

import (
	"testing"

	"rouse/gateway"
)

// FuzzNode: a node is ours, and a secret proves one, only if it was issued here.
func FuzzNode(f *testing.F) {
	nodes, err := gateway.NewNodes(key)
	if err != nil {
		f.Fatal(err)
	}
	issued := nodes.Issue("fcm", "device")
	f.Add(issued, nodes.Secret(issued))
	f.Add(issued[:31], "")
	f.Add(issued+"\n", nodes.Secret(issued)+"=")
	f.Fuzz(func(t *testing.T, node, secret string) {
		if node != issued && nodes.Ours(node) {
			t.Errorf("%q is taken for ours", node)
		}
		if nodes.Proves(secret, node) != (secret == nodes.Secret(node)) {
			t.Errorf("%q proves %q", secret, node)
		}
		if c := nodes.Canonical("example.org", node); !nodes.Ours(c) || c != nodes.Canonical("example.org", c) {
			t.Errorf("%q stands for %q", c, node)
		}
	})
}
