package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the linker: -X main.release=v1.2.3.
var release = "dev"

func versionCommand() command {
	return command{
		name: "version", args: "[--json]", about: "say which rouse this is",
		set: func(fs *flag.FlagSet) func(stdio, []string) error {
			asJSON := fs.Bool("json", false, "as one JSON object")
			return func(io stdio, args []string) error {
				if err := noArgs("version", args); err != nil {
					return err
				}
				if *asJSON {
					return json.NewEncoder(io.out).Encode(map[string]string{
						"version": release, "revision": revision(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
					})
				}
				fmt.Fprintf(io.out, "rouse %s %s %s/%s %s\n", release, revision(), runtime.GOOS, runtime.GOARCH, runtime.Version())
				return nil
			}
		},
	}
}

// revision is the commit that this was built from, as far as the build knows.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "unknown"
}
