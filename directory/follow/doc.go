// Package follow observes a directory by its content synchronisation (RFC 4533,
// refreshAndPersist) and keeps in a snapshot what it sees, together with the events
// that follow.
//
// A 389-DS (FreeIPA) is never asked by cookie: it accepts cookies for which it has
// nothing any more, and answers that nothing changed (docs/decisions/0017). Each
// session begins with a full refresh there, which is compared with the snapshot; what
// was not seen in it is gone. An OpenLDAP is asked by cookie, and in full when it does
// not take it or when that was long ago: it tells nothing of what its overlays change.
//
// One connection has one stream, and nothing else: its answers come by it in order, and
// who does not read them waits for ever for others. What has to be known of other
// entries is in the snapshot.
package follow
