package session

import "fmt"

// Class is the importance of a stanza, and of the wake it leads to. The order is
// the order of importance: a wake of one class also covers every lower class. What
// follows from a class is in its row of the table of Importance.
type Class uint8

const (
	Nothing      Class = iota // wakes nobody: receipts, chat states, own carbons, subjects
	Silent                    // the sender could not say what it is: a background wake
	Subscription              // somebody asks to see the presence of the user
	Invitation                // somebody asks the user into a room (XEP-0045 §7.8, XEP-0249)
	Group                     // a message in a room
	Mention                   // a message in a room that names the user
	Message                   // a message to the user
	Call                      // a call that rings now (XEP-0353 propose), for CallLife at most
	NumClasses
)

func (c Class) String() string {
	if c < NumClasses {
		return importance[c].Name
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Wakes reports whether a stanza of this class is worth a wake at all.
func (c Class) Wakes() bool { return c > Nothing && c < NumClasses }

// ParseClass reads the name that String gives.
func ParseClass(s string) (Class, error) {
	for c, of := range importance {
		if s == of.Name {
			return Class(c), nil
		}
	}
	return Nothing, fmt.Errorf("unknown class %q", s)
}

// MarshalText gives the name, so that stored states can be read by people.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (c *Class) UnmarshalText(b []byte) error {
	v, err := ParseClass(string(b))
	*c = v
	return err
}
