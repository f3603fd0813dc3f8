// Package stanza is the border between bytes and stanzas on a component's
// stream.
//
// [Reader] turns the bytes of a stream into elements, [AppendElement] turns
// elements into bytes, and nothing else in rouse knows how either is done.
// What a peer sends is held to RFC 6120 §11: namespaces are resolved, text is
// UTF-8 made of XML characters, entities are the five predefined ones, and
// comments, processing instructions and document types are refused (§11.1).
// A stanza beyond the limits is passed over without being kept, so nobody can
// end the stream or fill the memory with something that is merely large.
//
// The namespaces jabber:client and jabber:component:accept name the same
// thing on this side of a server (XEP-0114 §3): both are read as [NSClient],
// and stanzas are written without a namespace, which the stream provides.
package stanza
