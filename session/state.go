package session

import "fmt"

// State is what the server last saw of a session. An account without a session
// is offline; that is not a state of a session.
type State uint8

const (
	Active     State = iota // the user may be looking (XEP-0352 §4.2, and every client without CSI)
	Inactive                // XEP-0352 §4.1: connected, nobody looks
	Delayed                 // an <r/> has been unanswered for too long (XEP-0198 §4)
	Hibernated              // the connection is gone, the session may be resumed (XEP-0198 §5)
	NumStates
)

var stateNames = [NumStates]string{"active", "inactive", "delayed", "hibernated"}

func (s State) String() string {
	if s < NumStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ParseState reads the name that String gives.
func ParseState(s string) (State, error) {
	for st, name := range stateNames {
		if s == name {
			return State(st), nil
		}
	}
	return Active, fmt.Errorf("unknown session state %q", s)
}

// MarshalText gives the name, so that stored states can be read by people.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (s *State) UnmarshalText(b []byte) error {
	v, err := ParseState(string(b))
	*s = v
	return err
}
