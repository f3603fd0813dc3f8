// Package outbox keeps in an SQLite file what people are to be told and what they were:
// notices, for each who gets it where (Delivery), by which filter and what became of
// it, and what people prefer. A notice is taken once, however often it comes, and is
// kept with its deliveries until Forget.
package outbox
