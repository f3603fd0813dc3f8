package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"rouse/push/webpush"
)

func vapidCommand() command {
	return command{
		name: "vapid", args: "FILE [--user NAME]", about: "make a key for Web Push, and print what apps subscribe with",
		more: "FILE is what vapid_key_file of an [[app]] names. It is made if it is not there, for its owner alone, and never\n" +
			"changed: under another key every subscription would be worthless. Prints the public key, for apps that are built with it.",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			owner := fs.String("user", "", "a file that is made is to belong to `NAME`; default, for root, rouse if there is such a user")
			return func(io stdio, args []string) error {
				args, err := flagsAnywhere(fs, "vapid", "vapid", args)
				if err != nil {
					return err
				}
				if len(args) != 1 {
					return usage{text: "vapid: the file of the key is missing", hint: "rouse vapid /etc/rouse/vapid.pem"}
				}
				key, err := vapidKey(args[0], *owner)
				if err != nil {
					return err
				}
				fmt.Fprintln(io.out, key.Public())
				return nil
			}
		},
	}
}

// vapidKey reads the key in a file, or makes it.
func vapidKey(name, owner string) (*webpush.Key, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = makeVAPIDKey(name, owner); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, &initError{name, cause(err).Error(), "run as root, or as the user that rouse runs as"}
	}
	key, err := webpush.ParseKey(text)
	if err != nil {
		return nil, &initError{name, err.Error(), "it was left as it is; name another file, or move this one away if no app has subscribed with it"}
	}
	return key, nil
}

func makeVAPIDKey(name, owner string) ([]byte, error) {
	text, err := webpush.NewKey()
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, &initError{name, cause(err).Error(), "write where you may: the file belongs beside rouse.toml"}
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = (&newcomer{user: owner, wrote: []string{name}}).give()
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return text, nil
}
