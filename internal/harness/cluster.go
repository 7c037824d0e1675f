package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

// BuildCluster builds the program of a Temporal cluster from the sources in root
// into dir and returns its path.
func BuildCluster(ctx context.Context, root, dir string) (string, error) {
	out, err := filepath.Abs(filepath.Join(dir, "temporal"))
	if err != nil {
		return "", err
	}
	return out, build(ctx, root, out, "./internal/cluster/temporal")
}

// Cluster is a Temporal cluster in a process of its own. It knows nothing of
// Sluice, and a restart finds everything in its database.
type Cluster struct {
	proc.Child
	Address string // of the frontend, also after a restart
}

// NewCluster returns a cluster that does not run yet. Dir is for its log;
// postgres is the URL of a database for it on a server on which it may make
// another.
func NewCluster(program, dir, postgres string) (*Cluster, error) {
	addresses, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Address: addresses[0]}
	c.Child = proc.Child{
		Program: program, Args: []string{"-postgres", postgres, "-listen", c.Address},
		Log: filepath.Join(dir, "temporal.log"),
	}
	return c, nil
}

// Up starts the cluster and waits until it takes workflows.
func (c *Cluster) Up(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it takes too long"))
	defer cancel()
	before := c.readies()
	if err := c.Start(); err != nil {
		return err
	}
	for c.readies() == before {
		select {
		case <-c.Exited():
			return fmt.Errorf("the cluster ended: %w\n%s", c.Result(), c.LogTail(40))
		case <-ctx.Done():
			return fmt.Errorf("start a Temporal cluster: %w\n%s", context.Cause(ctx), c.LogTail(40))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// readies counts how often the cluster has said that it is ready.
func (c *Cluster) readies() int {
	text, err := os.ReadFile(c.Log)
	if err != nil {
		return 0
	}
	return strings.Count(string(text), "ready "+c.Address+"\n")
}
