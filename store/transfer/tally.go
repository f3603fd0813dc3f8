package transfer

import (
	"context"
	"strings"

	"rouse/store"
)

// Tally is how much of each kind there is.
type Tally struct {
	Accounts      int `json:"accounts"`
	Nodes         int `json:"nodes"` // registrations with a state of their own: servers without our module publish to them
	Rolls         int `json:"lists"` // lists of what accounts of other servers registered
	Registrations int `json:"registrations"`
	Wakes         int `json:"wakes"`
	Reasons       int `json:"reasons"`
	Reporters     int `json:"reporters"`
	Names         int `json:"names"` // values that are kept under one
}

// Items is all that can be copied one by one.
func (t Tally) Items() int {
	return t.Accounts + t.Nodes + t.Rolls + t.Registrations + t.Reporters + t.Names
}

func (t *Tally) add(i store.Item) {
	switch {
	case strings.HasPrefix(i.Owner.Key, store.NodeKey("")):
		t.Nodes++
	case strings.HasPrefix(i.Owner.Key, store.RollKey("")):
		t.Rolls++
	case i.Owner.Key != "":
		t.Accounts++
	case i.Registration.Node != "":
		t.Registrations++
	case i.Reporter.Host != "":
		t.Reporters++
	case i.Name != "":
		t.Names++
	}
	t.Wakes += len(i.Owner.Account.Pending)
	t.Reasons += len(i.Reasons)
}

// Count reads a store and says what is in it.
func Count(ctx context.Context, s store.Portable) (Tally, error) {
	var t Tally
	for item, err := range s.Items(ctx) {
		if err != nil {
			return t, err
		}
		t.add(item)
	}
	return t, nil
}
