package proc

import "syscall"

// dieWithParent makes the kernel send a signal to the child when this process is
// gone.
func dieWithParent(a *syscall.SysProcAttr, sig syscall.Signal) *syscall.SysProcAttr {
	a.Pdeathsig = sig
	return a
}
