package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rouse/directory"
)

// lookup asks what an entry is now, on a connection of its own: 389-DS may tell of two
// changes that came close together in the wrong order, so what it shows with a change
// may be older than what it showed before.
type lookup struct{ conn *ldap.Conn }

const lookupTime = 10 * time.Second

func newLookup(server string, cfg *Config) (*lookup, error) {
	c, host, err := connect(server, cfg)
	if err != nil {
		return nil, err
	}
	c.SetTimeout(lookupTime)
	if err := cfg.Bind(context.Background(), c, host); err != nil {
		return nil, errors.Join(fmt.Errorf("bind: %w", err), c.Close())
	}
	return &lookup{c}, nil
}

// entry gives an entry; nil: there is none of that name any more, of which the stream
// will tell, or has.
func (l *lookup) entry(dn string) (*ldap.Entry, error) {
	r, err := l.conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, Filter, directory.Attributes(), nil))
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking up what changed: %w", err)
	case len(r.Entries) == 0:
		return nil, nil
	}
	return r.Entries[0], nil
}

func (l *lookup) close() { l.conn.Close() }
