package stanza

// Namespaces of the stream itself.
const (
	NSClient = "jabber:client"                        // stanzas, however the stream calls them
	NSAccept = "jabber:component:accept"              // XEP-0114 §3: the same stanzas on a component's stream
	NSStream = "http://etherx.jabber.org/streams"     // RFC 6120 §4.8.1
	NSXML    = "http://www.w3.org/XML/1998/namespace" // the prefix xml, as in xml:lang

	nsStreamErrors = "urn:ietf:params:xml:ns:xmpp-streams" // RFC 6120 §4.9
	nsStanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas" // RFC 6120 §8.3
	nsXMLNS        = "http://www.w3.org/2000/xmlns/"
)

// Attr is an attribute. Space is empty unless the attribute had a prefix.
type Attr struct{ Space, Name, Value string }

// Element is an element with all below it. Text is its own character data,
// runs between children joined. Namespace declarations are not among Attr.
//
// An empty Space means "as the parent's" to [AppendElement].
type Element struct {
	Space, Name string
	Attr        []Attr
	Children    []Element
	Text        string
}

// Is reports whether e is the named element.
func (e *Element) Is(space, name string) bool { return e.Name == name && e.Space == space }

// Get returns the value of the attribute without namespace, or "".
func (e *Element) Get(name string) string {
	v, _ := e.Lookup(name)
	return v
}

// Lookup returns the value of the attribute without namespace, and whether
// there is one.
func (e *Element) Lookup(name string) (string, bool) {
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Name == name && a.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}

// Set gives the attribute without namespace the value, adding it if need be.
func (e *Element) Set(name, value string) {
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Name == name && a.Space == "" {
			a.Value = value
			return
		}
	}
	e.Attr = append(e.Attr, Attr{Name: name, Value: value})
}

// Child returns the first child of that name, or nil.
func (e *Element) Child(space, name string) *Element {
	for i := range e.Children {
		if c := &e.Children[i]; c.Name == name && c.Space == space {
			return c
		}
	}
	return nil
}

// ChildText returns the text of the first child of that name, or "".
func (e *Element) ChildText(space, name string) string {
	if c := e.Child(space, name); c != nil {
		return c.Text
	}
	return ""
}

// First returns the first child, or nil.
func (e *Element) First() *Element {
	if len(e.Children) == 0 {
		return nil
	}
	return &e.Children[0]
}
