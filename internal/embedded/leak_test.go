//go:build !slim

package embedded

import (
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"go.temporal.io/sdk/worker"

	"github.com/sluicehq/sluice/internal/leaktest"
)

const childLeak = "EMBEDDED_TEST_CHILD_LEAK"

// Nothing of ours is left behind. It runs in a process of its own, where no
// other test has a server.
func TestStopLeavesNoGoroutine(t *testing.T) {
	if os.Getenv(childLeak) == "" {
		t.Parallel()
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStopLeavesNoGoroutine$")
		child.Env = append(os.Environ(), childLeak+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	before := leaktest.Before()
	s, err := Start(t.Context(), Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", UI: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, s)
	w := work(t, c, "q", func(w worker.Worker) { w.RegisterWorkflow(greet) })
	w.Stop()
	c.Close()
	stop(t, s)
	leaktest.Verify(t, append(leaktest.LeftByTemporal, before)...)
}
