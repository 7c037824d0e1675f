//go:build unix

package host

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// ownGroup keeps signals from the terminal away from the plugin, and makes what
// it starts reachable.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// killGroup also reaches the group of a process that has ended: its number is not
// given away while the group has members.
func killGroup(p *os.Process) error {
	if err := syscall.Kill(-p.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return p.Kill()
	}
	return nil
}
