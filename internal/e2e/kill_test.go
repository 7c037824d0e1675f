package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Invariant 1: whatever is killed at whatever moment, what was acknowledged is
// delivered.
func TestKillServer(t *testing.T) {
	t.Parallel()
	w := newTrio(t)
	s := newServer(t, setup{rest: w.config()})
	killAgainAndAgain(t, s, w)
	s.integrity()
}

// The same with the ledger in PostgreSQL. What a killed server was writing is
// free when the leases end, so they are short.
func TestKillServerOnPostgres(t *testing.T) {
	t.Parallel()
	w := newTrio(t)
	s := newServer(t, setup{
		rest: fmt.Sprintf("ledger: {postgres: {url: %q}}\n", pgtest.URL(t)) + strings.ReplaceAll(w.config(), "retry:", "timeout: 5s\n    retry:"),
	})
	killAgainAndAgain(t, s, w)
	s.stop()
}

func killAgainAndAgain(t *testing.T, s *server, w trio) {
	t.Helper()
	const kills = 4
	seed := seedOf(t, 1)
	s.ready()

	o := tireless(seed, 2500)
	var acknowledged atomic.Int64
	o.Observe = func(a sandbox.Attempt) { acknowledged.Store(int64(a.Acknowledged)) }
	sb := sandbox.New(o)
	rng := rand.New(rand.NewPCG(seed, 7))
	moments := make([]int64, kills)
	for i := range moments {
		moments[i] = 1 + rng.Int64N(int64(countEvents(sb)))
	}
	slices.Sort(moments)

	show := perform(t, sb, s.target())
	for _, moment := range moments {
		for acknowledged.Load() < moment && !show.isOver() {
			time.Sleep(time.Millisecond)
		}
		s.crash()
		// Once more while it starts.
		s.start()
		time.Sleep(time.Duration(rng.Int64N(int64(1500 * time.Millisecond))))
		s.crash()
		s.up()
	}
	report := show.wait()
	s.crash() // while it delivers what is left
	s.ready()

	s.nothingDead(s.drained())
	s.applied(report.Acks)
	w.verify(t, sb, report.GaveUpIDs())
}

// seedOf is the usual seed, or one that somebody asked for to look further.
func seedOf(t *testing.T, usual uint64) uint64 {
	t.Helper()
	if text := os.Getenv("SLUICE_E2E_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("SLUICE_E2E_SEED: %v", err)
		}
		return seed
	}
	return usual
}

// crash kills the server and sees to it that its plugins end by themselves.
func (s *server) crash() {
	s.t.Helper()
	plugins := children(s.PID())
	s.kill()
	gone(s.t, plugins)
}

// The same for plugin processes.
func TestKillPlugin(t *testing.T) {
	t.Parallel()
	seed := seedOf(t, 2)
	w := newTrio(t)
	s := newServer(t, setup{rest: w.config()})
	s.ready()

	sb := sandbox.New(tireless(seed, 2500))
	rng := rand.New(rand.NewPCG(seed, 7))
	show := perform(t, sb, s.target())
	killed := make(map[string]int)
	for !show.isOver() {
		for name, d := range s.destinations() {
			if d.Process.PID != 0 && rng.IntN(3) == 0 {
				kill(t, d.Process.PID)
				killed[name]++
			}
		}
		time.Sleep(time.Duration(rng.Int64N(int64(800 * time.Millisecond))))
	}
	report := show.wait()
	s.nothingDead(s.drained())
	s.awaitReady()
	for name, d := range s.destinations() {
		if killed[name] == 0 || d.Process.Restarts < 1 || d.Process.PID == 0 {
			t.Errorf("%s was killed %d times, and the status shows %+v", name, killed[name], *d.Process)
		}
	}
	s.applied(report.Acks)
	w.verify(t, sb, report.GaveUpIDs())
	s.integrity()
}
