//go:build !linux

package proc

import "syscall"

// dieWithParent does nothing: without help from the kernel, a killed process
// leaves its children running.
func dieWithParent(a *syscall.SysProcAttr, _ syscall.Signal) *syscall.SysProcAttr { return a }
