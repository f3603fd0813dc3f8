// Command rouse wakes the phones of an XMPP server's users. See docs/ for what
// it does, and `rouse help` for how it is called.
package main

import (
	"os"
	"time"
)

func main() {
	os.Exit(run(os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv, now: time.Now}))
}
