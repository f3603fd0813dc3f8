package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asRouse makes the test binary behave as rouse itself, so that tests can start
// it as a process of its own, and kill it.
const asRouse = "ROUSE_TEST_RUN_AS_ROUSE"

func TestMain(m *testing.M) {
	if os.Getenv(asRouse) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}
