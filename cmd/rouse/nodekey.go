package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"rouse/config"
	"rouse/gateway"
	"rouse/store"
)

// nodeKey reads the key that nodes are issued under, or makes it at the first
// start. The store remembers its fingerprint: under another key every node that
// was ever issued would be unknown.
func nodeKey(ctx context.Context, file string, st store.Store) (*gateway.Nodes, error) {
	made := false
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = makeKey(file); err == nil {
			made = true
		}
	}
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, keyError(file, err.Error(), "rouse must be able to read it, or to make it at its first start. To make it by hand, as the user that rouse runs as: (umask 077; openssl rand -hex 32 >"+file+")")
	}
	nodes, err := gateway.NewNodes(string(text))
	if err != nil {
		return nil, keyError(file, err.Error(), "restore it from a backup; docs/backup.md says what to do when it is lost")
	}
	kept, err := st.Keep(ctx, "node-key", nodes.Fingerprint())
	if err != nil {
		return nil, err
	}
	if kept != nodes.Fingerprint() {
		cause := "is not the key that the nodes in the store were issued under"
		if made {
			os.Remove(file)
			cause = "is missing, and the store has nodes that were issued under it"
		}
		return nil, keyError(file, cause, "restore it from a backup, or name it in store.key_file; docs/backup.md says what to do when it is lost")
	}
	return nodes, nil
}

func makeKey(file string) ([]byte, error) {
	key, err := gateway.NewKey(nil)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintln(f, key)
	return []byte(key), errors.Join(err, f.Sync(), f.Close())
}

func keyError(file, cause, hint string) error {
	return &config.Error{File: file, Key: "store.key_file", Cause: cause, Hint: hint}
}
