//go:build chaos

package fault

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestTheClockJumps(t *testing.T) {
	for _, seconds := range []int64{0, 1, -1, 90, -90, 1_000_000} {
		before := time.Now()
		after := jumped(before, seconds)
		if got := after.Unix() - before.Unix(); got != seconds || after.Nanosecond() != before.Nanosecond() {
			t.Errorf("%d seconds: the moment moved by %d", seconds, got)
		}
		if got := after.Sub(before); got != 0 {
			t.Errorf("%d seconds: %v passed", seconds, got)
		}
	}
	file := filepath.Join(t.TempDir(), "clock")
	t.Setenv(EnvClock, file)
	if err := os.WriteFile(file, []byte("3600\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Now().Unix() - time.Now().Unix(); got < 3599 || got > 3601 {
		t.Errorf("the clock is off by %d seconds", got)
	}
}
