package main

import (
	"os/exec"
	"syscall"
)

// endWithParent has a child end when we do, however we end.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
