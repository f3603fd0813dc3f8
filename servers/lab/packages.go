package lab

import (
	"os"
	"os/exec"
	"strings"
)

// python is Debian's own interpreter: it is the one that finds Debian's slixmpp.
const python = "/usr/bin/python3"

// Missing lists the Debian packages that are needed here and not installed.
func Missing() []string {
	var missing []string
	if _, err := exec.LookPath("prosody"); err != nil {
		missing = append(missing, "prosody")
	}
	for _, need := range []struct{ path, name string }{
		{"/usr/lib/prosody/modules/mod_cloud_notify", "prosody-modules"},
		{"/usr/lib/python3/dist-packages/slixmpp", "python3-slixmpp"},
	} {
		if _, err := os.Stat(need.path); err != nil {
			missing = append(missing, need.name)
		}
	}
	return missing
}

// A MissingError names the packages that are not installed, and how to get them.
type MissingError struct{ Packages []string }

func (e *MissingError) Error() string {
	return "not installed: " + strings.Join(e.Packages, ", ") + "; run: apt-get install -y --no-install-recommends " + strings.Join(e.Packages, " ")
}

// Check returns a *MissingError when something that is needed here is not installed.
func Check() error {
	if missing := Missing(); len(missing) > 0 {
		return &MissingError{missing}
	}
	return nil
}

// CheckRedis is Check for the Redis servers alone: a machine without Redis runs
// the rest, and the other way round.
func CheckRedis() error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return &MissingError{[]string{"redis-server"}}
	}
	return nil
}
