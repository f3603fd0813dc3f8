package store

import (
	"context"
	"iter"

	"rouse/session"
)

// Item is one thing in a store: an owner, a registration, a reporter, or a value
// that was kept. One of Owner.Key, Registration.Node, Reporter.Host and Name is set.
type Item struct {
	Owner        Owner // Version means nothing elsewhere
	Reasons      []session.Reason
	Registration session.Registration
	Reporter     Reporter
	Name, Value  string
}

// Portable lets a store be copied into another one. It is for stores that nobody
// works on: what is committed meanwhile may be missed.
type Portable interface {
	// Items gives everything but processes and leases, in no order.
	Items(ctx context.Context) iter.Seq2[Item, error]

	// Put writes items over whatever has their key, each one durably and as a whole.
	// A name with an empty value is taken out.
	Put(ctx context.Context, items []Item) error
}
