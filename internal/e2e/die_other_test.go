//go:build !linux

package e2e

import "syscall"

// dieWithTests does nothing: without help from the kernel, killed tests leave
// their children running.
func dieWithTests() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
