package e2e

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

// child is a process that a test starts, kills and starts again.
type child struct {
	*proc.Child
	t *testing.T
}

func (c *child) start() {
	c.t.Helper()
	if err := c.Start(); err != nil {
		c.t.Fatal(err)
	}
}

// kill ends the process as a crash does.
func (c *child) kill() {
	c.t.Helper()
	if err := c.Kill(); err != nil {
		c.t.Fatal(err)
	}
}

// stop ends the process as an operator does, and fails the test if it does not
// end well.
func (c *child) stop() {
	c.t.Helper()
	if err := c.Stop(time.Minute); err != nil {
		c.t.Errorf("%v\n%s", err, c.LogTail(logLines))
	}
}

// end is for the end of a test.
func (c *child) end() {
	if c.t.Failed() {
		c.t.Logf("the end of the log:\n%s", c.LogTail(logLines))
	}
	c.kill()
}

const logLines = 40
