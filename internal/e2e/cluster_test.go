package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/internal/embedded"
	"github.com/sluicehq/sluice/internal/proc"
)

// The environment of a process that plays a Temporal cluster instead of running
// tests.
const (
	clusterDir     = "SLUICE_E2E_CLUSTER_DIR"
	clusterAddress = "SLUICE_E2E_CLUSTER_ADDRESS"
)

// serveCluster runs Temporal until it is killed.
func serveCluster() {
	_, err := embedded.Start(context.Background(), embedded.Options{
		Dir: os.Getenv(clusterDir), Listen: os.Getenv(clusterAddress),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// newCluster returns a Temporal server in a process of its own, which does not
// run yet, and knows nothing of Sluice.
func newCluster(t *testing.T) (c *child, address string) {
	t.Helper()
	address = freePort(t)
	dir := t.TempDir()
	c = &child{
		t: t, Child: &proc.Child{
			Program: os.Args[0], Args: []string{"-test.run=^$"}, Log: filepath.Join(dir, "log"),
			Env: []string{clusterDir + "=" + dir, clusterAddress + "=" + address},
		},
	}
	t.Cleanup(c.end)
	return c, address
}
