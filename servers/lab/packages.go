package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// python is Debian's own interpreter: it is the one that finds Debian's slixmpp.
const python = "/usr/bin/python3"

// What there is of each package when it is installed.
const (
	cloudNotify = "/usr/lib/prosody/modules/mod_cloud_notify"
	slixmpp     = "/usr/lib/python3/dist-packages/slixmpp"
)

// A MissingError names the packages that are not installed, and how to get them.
type MissingError struct{ Packages []string }

func (e *MissingError) Error() string {
	return "not installed: " + strings.Join(e.Packages, ", ") + "; run: apt-get install -y --no-install-recommends " + strings.Join(e.Packages, " ")
}

// Check returns a *MissingError when something is not installed that a Prosody and
// its clients need.
func Check() error {
	var m missing
	m.unless("prosody", inPath("prosody"))
	m.unless("prosody-modules", exists(cloudNotify))
	m.unless("python3-slixmpp", exists(slixmpp))
	return m.err()
}

// CheckEjabberd is Check for an ejabberd and its clients.
func CheckEjabberd() error {
	var m missing
	_, err := EjabberdLibraries()
	m.unless("ejabberd", err == nil)
	m.unless("python3-slixmpp", exists(slixmpp))
	return m.err()
}

// CheckClients is Check for clients alone.
func CheckClients() error {
	var m missing
	m.unless("python3-slixmpp", exists(slixmpp))
	return m.err()
}

// CheckRedis is Check for the Redis servers alone: a machine without Redis runs
// the rest, and the other way round.
func CheckRedis() error {
	var m missing
	m.unless("redis-server", inPath("redis-server"))
	return m.err()
}

// missing are packages.
type missing []string

func (m *missing) unless(name string, installed bool) {
	if !installed {
		*m = append(*m, name)
	}
}

func (m missing) err() error {
	if len(m) == 0 {
		return nil
	}
	return &MissingError{m}
}

func inPath(program string) bool { _, err := exec.LookPath(program); return err == nil }

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// EjabberdLibraries is the directory that Debian's Erlang programs are below.
func EjabberdLibraries() (string, error) {
	found, err := filepath.Glob("/usr/lib/*/ejabberd-*")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", &MissingError{[]string{"ejabberd"}}
	}
	return filepath.Dir(found[0]), nil
}
