package e2e

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// later builds Sluice with the tag upgradetest: with a changed workflow and one
// more migration.
var later = sync.OnceValues(func() (string, error) {
	return harness.Build(context.Background(), filepath.Join("..", ".."), filepath.Join(scratch, "later"), "upgradetest")
})

// Two instances are replaced by a later version, one after the other and under
// load, while workflows wait for a destination that is paused all the time.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	newer, err := later()
	if err != nil {
		t.Fatal(err)
	}
	w, seen := newTrio(t), newWitness()
	var databases []string
	database := func() string {
		databases = append(databases, pgtest.URL(t))
		return databases[len(databases)-1]
	}
	f := newFleet(t, database, ", versioning: true", seen.destinations(t, w))
	a, b := f.instance(), f.instance()
	a.ready()
	b.ready()
	f.current("harness")
	_, target := balance(t, a, b)
	a.run("destinations", "pause", "pg")

	o := tireless(seedOf(t, 11), 1000)
	o.Rate = 8
	acknowledged := counted(&o)
	sb := sandbox.New(o)
	show := perform(t, sb, target, sandbox.PhaseInitial, sandbox.PhaseIncremental)
	reach(t, acknowledged, 20)
	eventually(t, time.Minute, "open workflows", func() bool { return f.open() > 0 })
	for _, s := range []*server{a, b} {
		if show.isOver() {
			t.Fatal("the load was over before the upgrade")
		}
		// It comes in bursts, and the state in which both versions run must see some of it.
		reach(t, acknowledged, int(acknowledged.Load())+5)
		s.stop()
		s.Program = newer
		s.ready()
		f.current("harness-upgradetest")
	}
	a.served("witness")
	b.run("destinations", "resume", "pg")
	during := show.wait()
	o.Rate = 0
	after := perform(t, sandbox.New(o), target, sandbox.PhaseFull).wait()
	gaveUp := append(during.GaveUpIDs(), after.GaveUpIDs()...)

	a.nothingDead(a.drained())
	a.applied(during.Acks)
	a.applied(after.Acks)
	compare(t, "pgx", w.postgres, booksTable, sb.ExpectedWithout(gaveUp...))
	seen.verify(t, sb, gaveUp)
	eventually(t, time.Minute, "all workflows to end", func() bool { return f.open() == 0 })
	for _, s := range []*server{a, b} {
		if text := s.LogTail(1_000_000); strings.Contains(text, "TMPRL1100") || strings.Contains(text, "nondeterministic") {
			t.Errorf("a workflow was given to a version that cannot replay it:\n%s", text)
		}
	}
	migrated(t, databases[len(databases)-1])
}

// current waits until workflows are given to the version.
func (f *fleet) current(build string) {
	f.t.Helper()
	c := f.client()
	defer c.Close()
	is := ""
	eventually(f.t, time.Minute, "version "+build+" to be the current one", func() bool {
		got, err := c.WorkerDeploymentClient().GetHandle("sluice").Describe(f.t.Context(), client.WorkerDeploymentDescribeOptions{})
		if err == nil && got.Info.RoutingConfig.CurrentVersion != nil {
			is = got.Info.RoutingConfig.CurrentVersion.BuildID
		}
		return is == build
	})
}

func migrated(t *testing.T, ledger string) {
	t.Helper()
	db, err := sql.Open("pgx", ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sluice.batches WHERE upgradetest = 'later'").Scan(&n); err != nil || n == 0 {
		t.Errorf("the migration of the later version is not there: %d, %v", n, err)
	}
}
