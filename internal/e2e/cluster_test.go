package e2e

import (
	"testing"

	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// cluster is a Temporal cluster on PostgreSQL.
type cluster struct {
	child
	process *harness.Cluster
	address string
}

// newCluster returns a cluster that does not run yet, with databases on the
// tests' server.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	return newClusterOn(t, pgtest.URL(t))
}

func newClusterOn(t *testing.T, postgres string) *cluster {
	t.Helper()
	program, err := buildCluster()
	if err != nil {
		t.Fatal(err)
	}
	p, err := harness.NewCluster(program, t.TempDir(), postgres)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{child: child{t: t, Child: &p.Child}, process: p, address: p.Address}
	t.Cleanup(c.end)
	return c
}

// up starts the cluster and waits until it takes workflows.
func (c *cluster) up() {
	c.t.Helper()
	if err := c.process.Up(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
}
