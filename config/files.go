package config

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Bounds of the files that the configuration names, in bytes.
const (
	maxSecret = 4 << 10
	maxKey    = 1 << 20
)

// fileChecker reads the files that hold secrets and proves that nobody else can.
type fileChecker struct {
	*source
	errs Errors
}

// checkFiles looks at every file that the configuration names, and takes in the
// secrets. The mode is that of the configuration itself.
func checkFiles(c *Config, mode fs.FileMode) Errors {
	f := &fileChecker{source: c.source}
	if m := c.Component; m != nil {
		if m.SecretFile != "" {
			m.Secret = f.secret("component.secret_file", m.SecretFile)
		} else if who := readers(mode); who != "" && !m.Secret.IsZero() {
			f.fail("component.secret", fmt.Sprintf("the configuration is readable by %s (mode %04o)", who, mode.Perm()),
				"chmod 0600 "+c.source.name+", or move the secret into a file of its own: secret_file")
		}
	}
	for i := range c.Apps {
		a, key := &c.Apps[i], element("app", i)
		for name, path := range map[string]string{"key_file": a.KeyFile, "certificate_file": a.CertificateFile, "credentials_file": a.CredentialsFile} {
			f.private(join(key, name), path, maxKey)
		}
		f.vapidKey(join(key, "vapid_key_file"), a.VAPIDKeyFile)
		a.Password = f.secret(join(key, "password_file"), a.PasswordFile)
		f.authorities(join(key, "ca_file"), a.CAFile)
	}
	if r := c.Store.Redis; r != nil && !r.Password.IsZero() {
		if who := readers(mode); who != "" {
			f.fail("store.url", fmt.Sprintf("has a password, and the configuration is readable by %s (mode %04o)", who, mode.Perm()),
				"chmod 0600 "+c.source.name+", or move the password into a file of its own: password_file")
		}
	}
	f.push(&c.Push)
	f.directory(c.Directory)
	f.notices(c)
	f.store(&c.Store)
	// The node key is made at the first start.
	if _, err := os.Stat(c.Store.KeyFile); !errors.Is(err, fs.ErrNotExist) {
		f.private("store.key_file", c.Store.KeyFile, maxKey)
	}
	return f.errs
}

// store takes in the password of a Redis.
func (f *fileChecker) store(s *Store) {
	if s.Redis == nil {
		return
	}
	if s.PasswordFile != "" {
		s.Redis.Password = f.secret("store.password_file", s.PasswordFile)
	}
	f.authorities("store.ca_file", s.CAFile)
}

func (f *fileChecker) fail(key, cause, hint string) {
	f.errs = append(f.errs, f.error(key, cause, hint))
}

// private reads a file that only its owner may read.
func (f *fileChecker) private(key, path string, limit int64) []byte {
	if path == "" {
		return nil
	}
	data, mode, err := readFile(path, limit)
	switch {
	case err != nil:
		f.fail(key, fmt.Sprintf("%s: %s", path, cause(err)), "")
	case readers(mode) != "":
		f.fail(key, fmt.Sprintf("readable by %s (mode %04o)", readers(mode), mode.Perm()), "chmod 0600 "+path)
	case len(data) == 0:
		f.fail(key, path+": is empty", "")
	default:
		return data
	}
	return nil
}

// vapidKey is a key that nobody gives out: it has to be made. We do not make it
// ourselves, since under a new one every subscription is worthless.
func (f *fileChecker) vapidKey(key, path string) {
	if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
		f.fail(key, fmt.Sprintf("%s: %s", path, cause(err)), "rouse vapid "+path+" makes one")
		return
	}
	f.private(key, path, maxSecret)
}

// readers says who but the owner gets at a file; empty: nobody.
func readers(mode fs.FileMode) string {
	switch perm := mode.Perm(); {
	case perm&0o007 != 0:
		return "everyone"
	case perm&0o070 != 0:
		return "its group"
	}
	return ""
}

// secret reads one line. Editors and echo leave a newline behind that is not meant.
func (f *fileChecker) secret(key, path string) Secret {
	data := f.private(key, path, maxSecret)
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case data == nil:
	case text == "":
		f.fail(key, path+": is empty", "")
	case strings.ContainsAny(text, "\r\n\x00"):
		f.fail(key, path+": holds more than one line", "the secret alone, in one line")
	}
	return NewSecret(text)
}

func (f *fileChecker) authorities(key, path string) {
	if path == "" {
		return
	}
	data, _, err := readFile(path, maxKey)
	switch {
	case err != nil:
		f.fail(key, fmt.Sprintf("%s: %s", path, cause(err)), "")
	case !x509.NewCertPool().AppendCertsFromPEM(bytes.TrimSpace(data)):
		f.fail(key, path+": holds no certificate", "certificates in PEM, each between BEGIN CERTIFICATE and END CERTIFICATE")
	}
}
