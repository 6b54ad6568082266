package servicetest

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the program end also when the test is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
