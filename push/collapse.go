package push

import (
	"crypto/sha256"
	"encoding/hex"

	"rouse/session"
)

// Collapse gives the value that is equal for wakes of a device that may replace
// each other on their way, at most 64 bytes. Calls are never replaced. A silent
// wake has a value of its own: it must not take the place of one that is shown.
func Collapse(c session.Class, node string) string {
	switch c.Importance().Collapse {
	case session.Alone:
		return ""
	case session.WithSilent:
		node += "\x00silent"
	}
	sum := sha256.Sum256([]byte("collapse\x00" + node))
	return hex.EncodeToString(sum[:8])
}
