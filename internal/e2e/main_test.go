package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/internal/proc"
)

var update = flag.Bool("update", false, "keep histories that are not in workflows/testdata yet")

// scratch holds the binaries under test until the last test is over.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "sluice-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	code := pgtest.Run(m)
	if left := proc.List(func(p proc.Process) bool { return strings.HasPrefix(p.Program, scratch) }); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "the tests left processes behind: %v\n", left)
		code = 1
	}
	return code
}

// binary returns the sluice binary under test, with the plugins beside it. They
// are built from this tree on first use, so that they are never stale.
func binary(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	return harness.Build(context.Background(), filepath.Join("..", ".."), scratch)
})

var buildCluster = sync.OnceValues(func() (string, error) {
	return harness.BuildCluster(context.Background(), filepath.Join("..", ".."), scratch)
})
