//go:build !linux

package servicetest

import "os/exec"

// dieWithParent is a thing of Linux.
func dieWithParent(*exec.Cmd) {}
