package main

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

// asRouse makes the test binary behave as rouse itself, so that tests can start
// it as a process of its own, and kill it.
const asRouse = "ROUSE_TEST_RUN_AS_ROUSE"

func TestMain(m *testing.M) {
	if os.Getenv(asRouse) != "" {
		os.Exit(run(os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.Getenv, now: clockIn(os.Getenv(rouseClock))}))
	}
	// Most of what tests do is wait, for servers and for timers. The command line has
	// the last word.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	// Scripts find rouse in their PATH.
	testscript.Main(leakless{m}, map[string]func(){"rouse": main})
}

// leakless is all tests, and that no goroutine is left when they are through.
type leakless struct{ m *testing.M }

func (l leakless) Run() int {
	code := l.m.Run()
	if err := theatre.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines are left behind:", err)
		return 1
	}
	return 0
}
