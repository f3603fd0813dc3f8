package ejabberd

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

//go:embed mod_rouse
var module embed.FS

// Extract writes the module's directory mod_rouse into dir, which is made if it
// is not there. What was there is replaced.
func Extract(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, "mod_rouse")); err != nil {
		return err
	}
	return fs.WalkDir(module, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		b, err := module.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o644)
	})
}

// Compile makes what ejabberd loads of the module's source, and of further
// source files, in ebin, which is made if it is not there. It needs Debian's ejabberd.
func Compile(ctx context.Context, ebin string, further ...string) error {
	source, err := os.MkdirTemp("", "rouse-ejabberd-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(source)
	if err := Extract(source); err != nil {
		return err
	}
	if err := os.MkdirAll(ebin, 0o755); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(source, "mod_rouse", "src", "*.erl"))
	if err != nil {
		return err
	}
	server, err := newest("/usr/lib/*/ejabberd-*/include/logger.hrl")
	if err != nil {
		return err
	}
	codec, err := newest("/usr/lib/erlang/lib/*xmpp-*/include/xmpp.hrl")
	if err != nil {
		return err
	}
	args := []string{"-Wall", "-Werror", "-o", ebin, "-I", server, "-I", codec, "-pa", filepath.Join(filepath.Dir(server), "ebin")}
	cmd := exec.CommandContext(ctx, "erlc", append(append(args, files...), further...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ejabberd: erlc: %w\n%s", err, out)
	}
	return nil
}

// newest is the directory of the last file, by name, that fits.
func newest(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", errors.New("ejabberd: nothing fits " + pattern + "; run: apt-get install -y --no-install-recommends ejabberd")
	}
	return filepath.Dir(slices.Max(found)), nil
}
