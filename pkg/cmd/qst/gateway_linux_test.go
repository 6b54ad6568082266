package main

import (
	"os/exec"
	"syscall"
)

// dieWithTest has a program end also when the test is killed.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// killWithChildren ends a program and what it has started.
func killWithChildren(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
