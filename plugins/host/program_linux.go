package host

import (
	"fmt"
	"os"
)

// openPath is a path to the open file itself. It names this process, not
// "self": in the child the number may be taken before the file is run.
func (p *program) openPath() string {
	at := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), p.file.Fd())
	if _, err := os.Stat(at); err != nil {
		return "" // no /proc, or this process must not look at itself
	}
	return at
}
