package e2e

import "syscall"

// dieWithTests makes the kernel kill a child when the test process is gone.
func dieWithTests() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
