package lab

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel end a server when the program that started it is
// killed and cannot do it itself.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}

// killedWithParent is dieWithParent for a process that may not heed a SIGTERM: it may
// be stopped (SIGSTOP), or, in Erlang, not have finished to start.
func killedWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
