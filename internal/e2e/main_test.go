package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/internal/pgtest"
)

var update = flag.Bool("update", false, "keep histories that are not in workflows/testdata yet")

// scratch holds the binaries under test until the last test is over.
var scratch string

func TestMain(m *testing.M) {
	if os.Getenv(clusterDir) != "" {
		serveCluster()
	}
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
	if left := processes(func(p process) bool { return strings.HasPrefix(p.program, scratch) }); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "the tests left processes behind: %v\n", left)
		code = 1
	}
	return code
}

// binary returns the sluice binary under test, with the plugins beside it. They
// are built from this tree on first use, so that they are never stale, with the
// flags of the Makefile, so that the Temporal server is not compiled again.
func binary(t *testing.T) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(scratch, "sluice")
}

var build = sync.OnceValue(func() error {
	mains, err := filepath.Glob("../../plugins/*/main.go")
	if err != nil || len(mains) == 0 {
		return fmt.Errorf("find the plugins: %v", err)
	}
	targets := map[string]string{filepath.Join(scratch, "sluice"): "../../cmd/sluice"}
	for _, main := range mains {
		dir := filepath.Dir(main)
		targets[filepath.Join(scratch, "plugins", "sluice-destination-"+filepath.Base(dir))] = "../../plugins/" + filepath.Base(dir)
	}
	var errs []error
	for out, pkg := range targets {
		c := exec.Command("go", "build", "-ldflags", "-s -w -X main.version=e2e", "-o", out, pkg)
		c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
		if text, err := c.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("build %s: %w\n%s", pkg, err, text))
		}
	}
	return errors.Join(errs...)
})
