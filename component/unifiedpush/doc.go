// Package unifiedpush is the XMPP way of UnifiedPush: a client (Conversations,
// as the distributor of its phone) asks for addresses that the push of other
// apps' servers go to, and gets what is posted there as IQs
// (http://gultsch.de/xmpp/drafts/unified-push).
//
// Nothing is stored: an address holds, sealed, who asked for it, for which app,
// and until when. So it outlives restarts, and every process with the same key
// understands it. It goes to the client that asked, by its full JID, since it is
// that client which knows the app; when it is not connected the sender is told
// to come again.
//
// Not covered: presence of clients, and messages that are kept for them
// (RFC 8030 §5.2: TTL is taken as 0).
package unifiedpush
