package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// With a cluster that goes away and comes back: events are accepted all the
// time, and delivered when it is there.
func TestTemporalAway(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	w := newTrio(t)
	s := newServer(t, setup{temporal: fmt.Sprintf("address: %q", cluster.address), rest: w.config()})

	// Sluice comes up first.
	s.up()
	var r admin.Readiness
	if status := getJSON(t, "http://"+s.admin+"/readyz", &r); status != http.StatusOK {
		t.Errorf("/readyz answers %d with Temporal away", status)
	}
	if r.Status != admin.StatusDegraded || r.Parts["temporal"] == "ok" || r.Parts[admin.PartLedger] != "ok" {
		t.Errorf("/readyz says %+v with Temporal away", r)
	}
	o := tireless(4, 1500)
	o.Retries, o.Rate = -1, 100
	o.Faults = []sandbox.Fault{sandbox.FaultDuplicates, sandbox.FaultReorder}
	var mu sync.Mutex
	acknowledged := 0
	o.Observe = func(a sandbox.Attempt) {
		mu.Lock()
		defer mu.Unlock()
		acknowledged = a.Acknowledged
		if a.Status != http.StatusAccepted && a.Status != http.StatusOK {
			t.Errorf("event %s was answered %d %v", a.Event.ID, a.Status, a.Err)
		}
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return acknowledged
	}
	sb := sandbox.New(o)
	before := perform(t, sb, s.target(), sandbox.PhaseInitial).wait()

	cluster.up()
	eventually(t, time.Minute, "sluice setup", func() bool {
		return getJSON(t, "http://"+s.admin+"/readyz", &r) == http.StatusOK && strings.Contains(r.Parts["temporal"], "run sluice setup")
	})
	if out := s.run("setup"); !strings.Contains(out, "SluiceEventIds") {
		t.Errorf("sluice setup says: %s", out)
	}
	if out := s.run("setup"); !strings.Contains(out, "nothing to do") {
		t.Errorf("sluice setup says the second time: %s", out)
	}
	s.awaitReady()
	s.nothingDead(s.drained())

	// The outage: from a third of the events on, for a quarter of them.
	total := countEvents(sb, sandbox.PhaseIncremental, sandbox.PhaseFull)
	mu.Lock()
	acknowledged = 0
	mu.Unlock()
	show := perform(t, sb, s.target(), sandbox.PhaseIncremental, sandbox.PhaseFull)
	eventually(t, time.Minute, "a third of the events", func() bool { return count() > total/3 })
	cluster.kill()
	killed := count()
	eventually(t, time.Minute, "events without Temporal", func() bool { return count() >= killed+total/4 })
	status, err := s.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.Backlog.Events == 0 {
		t.Errorf("nothing waits while Temporal is away: %+v", status.Backlog)
	}
	cluster.up()
	report := show.wait()

	s.awaitReady()
	s.nothingDead(s.drained())
	s.applied(before.Acks)
	s.applied(report.Acks)
	w.verify(t, sb, nil)
	s.integrity()
}

func getJSON(t *testing.T, url string, into any) int {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// Invariant 7: with an empty Temporal, everything undelivered is driven again.
func TestEmptyNamespace(t *testing.T) {
	t.Parallel()
	door := newDoor()
	hook := receive(t, door.answer)
	w := newTrio(t)
	rest := strings.Replace(w.config(), "routes:\n", fmt.Sprintf(`  hook:
    plugin: webhook
    config: {url: %q, batch: true, allow_networks: [127.0.0.0/8]}
    retry: {initial_interval: 100ms, max_interval: 1s}
routes:
  - name: hook
    to: [hook]
`, hook), 1)
	s := newServer(t, setup{rest: rest})
	s.ready()
	s.run("destinations", "pause", "pg")

	sb := sandbox.New(tireless(5, 500))
	report := perform(t, sb, s.target()).wait()
	s.served("lite", "audit")
	// The first writes may have been under way when the pause came.
	paused, came, _ := s.counts("pg")
	failing, _, _ := s.counts("hook")
	if paused == 0 || failing == 0 {
		t.Fatalf("%d deliveries wait for pg, and %d for hook", paused, failing)
	}
	s.stop()
	remove(t, filepath.Join(s.process.DataDir, "temporal*.db*"))
	door.open.Store(true)
	s.ready()
	eventually(t, time.Minute, "the webhook destination", func() bool {
		waiting, _, _ := s.counts("hook")
		return waiting == 0
	})
	if waiting, delivered, _ := s.counts("pg"); waiting != paused || delivered != came {
		t.Errorf("the pause of pg did not outlive the restart: %d wait, and %d were delivered meanwhile", waiting, delivered-came)
	}
	s.run("destinations", "resume", "pg")
	s.nothingDead(s.drained())
	s.applied(report.Acks)
	w.verify(t, sb, nil)
	if got, want := door.records(), len(sb.Expected()); got != want {
		t.Errorf("the webhook destination got %d records, want %d", got, want)
	}
	s.integrity()
}
