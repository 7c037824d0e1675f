package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/pgserver"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// counted counts what is acknowledged of a performance.
func counted(o *sandbox.Options) *atomic.Int64 {
	n := new(atomic.Int64)
	o.Observe = func(a sandbox.Attempt) { n.Store(int64(a.Acknowledged)) }
	return n
}

// reach waits until so many events were acknowledged.
func reach(t *testing.T, acknowledged *atomic.Int64, want int) {
	t.Helper()
	eventually(t, 2*time.Minute, "events to be acknowledged", func() bool { return acknowledged.Load() >= int64(want) })
}

// One of two instances is killed, and the other one stands still for longer than
// its leases last, with its plugins, and then goes on as if nothing had been.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	w, seen := newTrio(t), newWitness()
	f := newFleet(t, nil, "", seen.destinations(t, w))
	a, b := f.instance(), f.instance()
	a.ready()
	b.ready()
	lb, target := balance(t, a, b)

	o := tireless(seedOf(t, 8), 1500)
	o.Timeout = 5 * time.Second
	acknowledged := counted(&o)
	sb := sandbox.New(o)
	total := countEvents(sb)
	show := perform(t, sb, target)
	reach(t, acknowledged, total/6)
	a.crash()
	a.ready()

	reach(t, acknowledged, total/3)
	plugins := children(b.PID())
	if len(plugins) != 2 {
		t.Fatalf("the instance has plugins %v, want two", plugins)
	}
	lb.set(a) // as a health check would
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, p := range plugins {
		signal(t, p.PID, syscall.SIGSTOP)
	}
	report := show.wait()
	// What the frozen one had claimed is delivered when its leases are over.
	status := a.drained()
	for _, p := range plugins {
		signal(t, p.PID, syscall.SIGCONT)
	}
	if err := b.Continue(); err != nil {
		t.Fatal(err)
	}
	a.nothingDead(status)
	b.awaitReady()
	lb.set(b, a)
	a.stop()
	b.nothingDead(b.drained())
	b.applied(report.Acks)
	compare(t, "pgx", w.postgres, booksTable, sb.ExpectedWithout(report.GaveUpIDs()...))
	seen.verify(t, sb, report.GaveUpIDs())
}

func signal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func booksTable(model string) string { return `"books"."` + strings.ToLower(model) + `"` }

// Each role is an instance of its own, and two workers share the destinations.
func TestSeparateRoles(t *testing.T) {
	t.Parallel()
	w := newTrio(t)
	f := newFleet(t, nil, "", w.config())
	endpoint := f.instance("--roles", "endpoint")
	dispatcher := f.instance("--roles", "dispatcher")
	local := f.instance("--roles", "worker", "--destinations", "lite,audit")
	remote := f.instance("--roles", "worker", "--destinations", "pg")
	endpoint.ready()
	sb := sandbox.New(tireless(seedOf(t, 9), 800))
	show := perform(t, sb, endpoint.target())
	for _, s := range []*server{dispatcher, local, remote} {
		s.start()
		s.awaitReady()
	}
	for s, want := range map[*server]int{endpoint: 0, dispatcher: 0, local: 2, remote: 1} {
		if got := children(s.PID()); len(got) != want {
			t.Errorf("sluice %v has plugins %v, want %d", s.Args, got, want)
		}
	}
	report := show.wait()
	endpoint.nothingDead(endpoint.drained())
	endpoint.applied(report.Acks)
	w.verify(t, sb, nil)

	if got := endpoint.destinations()["pg"].Process; got == nil || got.State != admin.StateElsewhere {
		t.Errorf("the endpoint says of a destination of another instance: %+v", got)
	}

	// A pause that one instance sets holds another one, until a third ends it. The
	// other one sees it a moment later, and nothing tells when.
	endpoint.run("destinations", "pause", "pg")
	sent := 0
	send := func() (waiting, delivered int64) { // one after the other: a delivery that nothing holds would be over
		sent++
		endpoint.accept(changeOf(fmt.Sprint("paused-", sent)))
		endpoint.served("lite", "audit")
		waiting, delivered, _ = remote.counts("pg")
		return waiting, delivered
	}
	held := 0
	_, before, _ := remote.counts("pg")
	eventually(t, time.Minute, "the pause", func() bool {
		_, delivered := send()
		if held++; delivered != before {
			held, before = 0, delivered
		}
		return held == 3
	})
	already, _, _ := remote.counts("pg")
	for range 10 {
		send()
	}
	if waiting, delivered, _ := remote.counts("pg"); waiting != already+10 || delivered != before {
		t.Errorf("%d wait for a paused destination, want %d, and %d were delivered to it", waiting, already+10, delivered-before)
	}
	dispatcher.run("destinations", "resume", "pg")
	endpoint.nothingDead(endpoint.drained())
}

func changeOf(id string) string {
	return strings.ReplaceAll(`{"rootfi_id":"ID","webhook_type":"DATA_MODEL_CHANGES","company_id":1,"integration_type":"XERO",`+
		`"data_model":"BILLS","type":"CREATE","data":[{"platform_id":"ID","amount":1}]}`, "ID", id)
}

// PostgreSQL, which holds the ledger and Temporal's data, crashes under load and
// comes back, while the instances and Temporal go on.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	pg, err := pgserver.Start(t.Context(), pgserver.Options{Durable: true, Settings: []string{"max_connections=200"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Stop(); err != nil {
			t.Error(err)
		}
	})
	made := 0
	database := func() string {
		made++
		url, err := pg.CreateDatabase(t.Context(), strings.Repeat("d", made))
		if err != nil {
			t.Fatal(err)
		}
		return url
	}
	w, seen := newTrio(t), newWitness()
	f := newFleet(t, database, "", seen.destinations(t, w))
	a, b := f.instance(), f.instance()
	a.ready()
	b.ready()
	_, target := balance(t, a, b)
	o := tireless(seedOf(t, 10), 1000)
	o.Retries = 40 // longer than a restart takes
	acknowledged := counted(&o)
	sb := sandbox.New(o)
	total := countEvents(sb)
	show := perform(t, sb, target)
	reach(t, acknowledged, total/4)
	if err := pg.Crash(); err != nil {
		t.Fatal(err)
	}
	before := acknowledged.Load()
	if err := pg.Launch(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	reach(t, acknowledged, int(before)+1)
	report := show.wait()
	a.awaitReady()
	b.awaitReady()
	a.nothingDead(a.drained())
	a.applied(report.Acks)
	compare(t, "pgx", w.postgres, booksTable, sb.ExpectedWithout(report.GaveUpIDs()...))
	seen.verify(t, sb, report.GaveUpIDs())
}
