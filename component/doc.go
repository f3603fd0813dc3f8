// Package component is rouse's place on an XMPP server: a component of
// XEP-0114, addressed by a domain of its own.
//
// [Component.Run] keeps one link to the server and makes it again whenever it
// breaks. What comes in is answered by the handlers that the packages below
// this one register, one package per protocol. Whatever anybody sends, and
// whatever a handler does, the link stays: a stanza that cannot be used is
// answered with an error or dropped (RFC 6120 §8).
//
// Goroutines, all ended when Run returns: Run itself, which dials and watches;
// per link one that reads and one that writes; and at most Config.Workers that
// run handlers. IQs are handed to the workers by owner, the bare address of
// the sender unless told otherwise: those of one owner one after the other,
// those of different owners side by side. A handler that waits for something,
// a commit for one, returns and answers later, so that it holds no worker.
//
// Sections covered: XEP-0114 §3 (handshake); RFC 6120 §4.9
// (stream errors), §8.2.3 (IQ semantics), §8.3 (stanza errors). The protocol
// has no TLS; an address that is not loopback is warned of.
package component
