package config

import (
	"fmt"
	"strings"
)

// standard are the files that are looked for when none is named.
var standard = [...]string{"rouse.toml", "/etc/rouse/rouse.toml"}

// Find says which file to load: the one named by -c or --config, else by the
// environment (ROUSE_CONFIG), else rouse.toml here, else /etc/rouse/rouse.toml. A
// file that is named is not looked for elsewhere, and Load says if it is missing.
func Find(flag, env string, exists func(path string) bool) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if env != "" {
		return env, nil
	}
	for _, path := range standard {
		if exists(path) {
			return path, nil
		}
	}
	return "", &Error{
		Cause: fmt.Sprintf("no configuration: there is no %s", strings.Join(standard[:], " and no ")),
		Hint:  "name a file with -c FILE or ROUSE_CONFIG",
	}
}
