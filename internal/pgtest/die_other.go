//go:build !linux

package pgtest

import "syscall"

// dieWithParent does nothing: without help from the kernel, a killed test process
// leaves its server running.
func dieWithParent(a *syscall.SysProcAttr) *syscall.SysProcAttr { return a }
