package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"

	"rouse/gateway"
)

func initCommand() command {
	return command{
		name: "init", args: "SERVICE [--server prosody|ejabberd] [--hosts DOMAINS] [--dir DIR] [--user NAME]",
		about: "write a configuration to begin with, and say what the XMPP server needs",
		more: "SERVICE is the address that rouse gets on the XMPP server, such as push.example.org. Writes rouse.toml, the secret\n" +
			"that rouse and the server share, and the key of the nodes, each for its owner alone, and prints the exact lines for\n" +
			"the server and for systemd. Nothing that is there is changed; when something fails, nothing is left.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			n := newcomer{random: rand.Reader}
			fs.StringVar(&n.server, "server", "prosody", "print the lines for `WHICH`: prosody or ejabberd")
			hosts := fs.String("hosts", "", "`DOMAINS` whose users are to be woken, with commas between; default SERVICE without its first part")
			fs.StringVar(&n.dir, "dir", ".", "write into `DIR`, which is made if it is not there")
			fs.StringVar(&n.user, "user", "", "the files are to belong to `NAME`; default, for root, rouse if there is such a user")
			return func(io stdio, args []string) error {
				args, err := flagsAnywhere(fs, "init", "init", args)
				if err != nil {
					return err
				}
				if len(args) != 1 {
					return usage{text: "init: the address that rouse is to have on the XMPP server is missing", hint: "rouse init push.example.org"}
				}
				if err := n.ask(args[0], *hosts); err != nil {
					return err
				}
				if err := n.write(); err != nil {
					return err
				}
				return n.tell(io.out)
			}
		},
	}
}

// newcomer is one call of rouse init.
type newcomer struct {
	service, server, dir, user string
	hosts                      []string
	random                     io.Reader
	secret                     string
	wrote                      []string // in the order in which it was made
}

// ask checks what was said, and fills in what was not.
func (n *newcomer) ask(service, hosts string) error {
	if n.server != prosodyServer && n.server != ejabberdServer {
		return usage{text: fmt.Sprintf("init: unknown server %q", n.server), hint: "prosody or ejabberd"}
	}
	address, err := jid.Parse(service)
	if err != nil || !address.Equal(address.Domain()) {
		return usage{text: fmt.Sprintf("init: %q is not a domain", service), hint: "rouse init push.example.org"}
	}
	n.service = address.String()
	if hosts == "" {
		_, parent, _ := strings.Cut(n.service, ".")
		if !strings.Contains(parent, ".") {
			return usage{text: fmt.Sprintf("init: cannot tell the domain of the users from %q", n.service), hint: "name it: --hosts example.org"}
		}
		hosts = parent
	}
	for h := range strings.SplitSeq(hosts, ",") {
		host, err := jid.Parse(strings.TrimSpace(h))
		if err != nil || !host.Equal(host.Domain()) {
			return usage{text: fmt.Sprintf("init: --hosts: %q is not a domain", h), hint: "--hosts example.org,example.com"}
		}
		n.hosts = append(n.hosts, host.String())
	}
	n.dir, err = filepath.Abs(n.dir)
	return err
}

// write makes all files, or none.
func (n *newcomer) write() (err error) {
	defer func() {
		if err == nil {
			return
		}
		for i := len(n.wrote) - 1; i >= 0; i-- {
			err = errors.Join(err, os.Remove(n.wrote[i]))
		}
	}()
	if err := n.makeDir(); err != nil {
		return err
	}
	secret := make([]byte, 24)
	if _, err := io.ReadFull(n.random, secret); err != nil {
		return err
	}
	n.secret = hex.EncodeToString(secret)
	key, err := gateway.NewKey(n.random)
	if err != nil {
		return err
	}
	for _, f := range []struct{ name, content string }{
		{"component.secret", n.secret + "\n"}, {"rouse.key", key + "\n"}, {"rouse.toml", n.config()},
	} {
		if err := n.file(filepath.Join(n.dir, f.name), f.content); err != nil {
			return err
		}
	}
	return n.give()
}

func (n *newcomer) makeDir() error {
	err := os.Mkdir(n.dir, 0o700)
	switch {
	case err == nil:
		n.wrote = append(n.wrote, n.dir)
		return nil
	case errors.Is(err, fs.ErrExist):
		return nil
	}
	return fmt.Errorf("%s: cannot be made: %w", n.dir, cause(err))
}

func (n *newcomer) file(name, content string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &initError{name, "is there already", "nothing was changed; move it away, or write elsewhere with --dir"}
	}
	if err != nil {
		return &initError{name, cause(err).Error(), "nothing was left; write where you may, with --dir"}
	}
	n.wrote = append(n.wrote, name)
	_, err = io.WriteString(f, content)
	return errors.Join(err, f.Sync(), f.Close())
}

// give has the files belong to the user that rouse will run as: root would start
// it, and it could read none of them.
func (n *newcomer) give() error {
	name, asked := n.user, n.user != ""
	if !asked {
		if os.Geteuid() != 0 {
			return nil
		}
		name = "rouse"
	}
	u, err := user.Lookup(name)
	if err != nil {
		if !asked {
			return nil // tell says what to do
		}
		return &initError{"--user", err.Error(), "useradd --system --user-group --home-dir /var/lib/rouse --shell /usr/sbin/nologin " + name}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	for _, f := range n.wrote {
		if err := os.Chown(f, uid, gid); err != nil {
			return &initError{f, cause(err).Error(), "run as root, or without --user"}
		}
	}
	n.user = name
	return nil
}

// initError is a failure with its place and what to do.
type initError struct{ place, cause, hint string }

func (e *initError) Error() string { return e.place + ": " + e.cause }

// Hint gives the remedy.
func (e *initError) Hint() string { return e.hint }

// cause is an error without the path that it is told with anyway.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
