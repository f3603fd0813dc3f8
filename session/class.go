package session

import (
	"fmt"
	"time"
)

// CallLife is how long a call rings: nobody lets a phone ring longer.
const CallLife = 45 * time.Second

// Class is the importance of a stanza, and of the wake it leads to. The order is
// the order of importance: a wake of one class also covers every lower class.
type Class uint8

const (
	Nothing      Class = iota // wakes nobody: receipts, chat states, own carbons, subjects
	Silent                    // the sender could not say what it is: a background wake
	Subscription              // somebody asks to see the presence of the user
	Group                     // a message in a room
	Mention                   // a message in a room that names the user
	Message                   // a message to the user
	Call                      // a call that rings now (XEP-0353 propose), for CallLife at most
	NumClasses
)

var classNames = [NumClasses]string{"nothing", "silent", "subscription", "group", "mention", "message", "call"}

func (c Class) String() string {
	if c < NumClasses {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Wakes reports whether a stanza of this class is worth a wake at all.
func (c Class) Wakes() bool { return c > Nothing && c < NumClasses }

// ParseClass reads the name that String gives.
func ParseClass(s string) (Class, error) {
	for c, name := range classNames {
		if s == name {
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
