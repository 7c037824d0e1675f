package pgtest

import "syscall"

// dieWithParent makes the kernel end the server when the test process is gone.
func dieWithParent(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	a.Pdeathsig = syscall.SIGQUIT
	return a
}
