package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/netfault"
	"github.com/sluicehq/sluice/internal/pgserver"
	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// The destinations of a run.
const (
	destPostgres = "pg"
	destSQLite   = "lite"
	destTrail    = "trail"
	destHook     = "hook"
)

// world is everything around the servers under test, and they.
type world struct {
	o      Options
	log    *slog.Logger
	report *Report
	kinds  []Kind // of faults that can be injected here

	nodes    []*node
	postgres *pgserver.Server
	database *netfault.Wire // from the plugin to PostgreSQL
	books    string
	cluster  *proc.Child
	frontend *netfault.Wire // to the external Temporal
	receiver *receiver
	clock    string // file
	mounts   []string

	mu   sync.Mutex
	busy map[string]bool

	acks map[string]bool // acknowledged events, by id; of observe
}

func (w *world) setUp(ctx context.Context) (err error) {
	w.clock = filepath.Join(w.o.Dir, "clock")
	if err := w.setClock(0); err != nil {
		return err
	}
	if w.receiver, err = newReceiver(); err != nil {
		return err
	}
	if w.postgres, err = pgserver.Start(ctx, pgserver.Options{Durable: true}); err != nil {
		return err
	}
	if w.books, err = w.postgres.CreateDatabase(ctx, "books"); err != nil {
		return err
	}
	if err := audit(ctx, w.books); err != nil {
		return fmt.Errorf("watch the warehouse: %w", err)
	}
	if w.database, err = netfault.NewWire("postgres", w.postgres.Address()); err != nil {
		return err
	}
	if err := w.startCluster(); err != nil {
		return err
	}
	for i := range w.o.Servers {
		n, err := w.newNode(ctx, i)
		if err != nil {
			return err
		}
		w.nodes = append(w.nodes, n)
	}
	w.kinds = w.possible()
	return w.begin(ctx)
}

func (w *world) startCluster() (err error) {
	if w.o.Temporal != TemporalExternal {
		return nil
	}
	dir := filepath.Join(w.o.Dir, "temporal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	address, err := proc.FreePorts(1)
	if err != nil {
		return err
	}
	w.cluster = w.o.Cluster(dir, address[0])
	if w.frontend, err = netfault.NewWire("temporal", address[0]); err != nil {
		return err
	}
	return w.cluster.Start()
}

// keepCluster starts Temporal again when it ended by itself, as a supervisor
// does: on a busy machine it may give up before it is ready.
func (w *world) keepCluster(ctx context.Context) {
	for sleep(ctx, 500*time.Millisecond) {
		if !w.take(string(KillTemporal)) {
			continue // it is dead on purpose
		}
		if !w.cluster.Running() {
			w.log.Warn("temporal ended by itself and is started again", "err", w.cluster.Result())
			if err := w.cluster.Start(); err != nil {
				w.report.fail("driver", "start temporal: %v", err)
			}
		}
		w.give(string(KillTemporal))
	}
}

func (w *world) newNode(ctx context.Context, i int) (*node, error) {
	dir := filepath.Join(w.o.Dir, fmt.Sprintf("server-%d", i))
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, err
	}
	n := &node{name: filepath.Base(dir), done: make(chan struct{})}
	o := harness.Options{Sluice: w.o.Sluice, Dir: dir, Rest: w.routes()}
	if w.frontend != nil {
		o.Temporal = fmt.Sprintf("address: %q", w.frontend.Address())
	}
	if w.o.Ledger == LedgerPostgres {
		url, err := w.ledgerURL(ctx, n)
		if err != nil {
			return nil, err
		}
		o.Ledger = fmt.Sprintf("postgres: {url: %q}", url)
	} else if err := w.mount(filepath.Join(dir, "data")); err != nil {
		w.log.Warn("no full disk in this run", "err", err)
	}
	var err error
	if n.Server, err = harness.New(o); err != nil {
		return nil, err
	}
	n.env = []string{fault.EnvClock + "=" + w.clock}
	n.door, err = netfault.NewWire(n.name, n.Address())
	return n, err
}

// ledgerURL makes the database of the ledger, and a wire to it for the node.
func (w *world) ledgerURL(ctx context.Context, n *node) (string, error) {
	if len(w.nodes) == 0 {
		if _, err := w.postgres.CreateDatabase(ctx, "ledger"); err != nil {
			return "", err
		}
	}
	var err error
	if n.ledger, err = netfault.NewWire("ledger of "+n.name, w.postgres.Address()); err != nil {
		return "", err
	}
	return rewire(w.postgres.URL("ledger"), n.ledger), nil
}

// mount gives a directory a small file system of its own, which can be filled.
func (w *world) mount(dir string) error {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return errors.New("mounting a tmpfs needs root, on Linux")
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1g,mode=0700", "sluice-chaos", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount a tmpfs: %w: %s", err, out)
	}
	w.mounts = append(w.mounts, dir)
	return nil
}

// possible lists the kinds of faults that this run can have.
func (w *world) possible() []Kind {
	kinds := []Kind{KillServer, CrashPoint, FreezeServer, KillPlugin, RestartPostgres, ClockJump, CutSender, CutPostgres, BadReceiver}
	if len(w.mounts) > 0 {
		kinds = append(kinds, FullDisk)
	}
	if w.cluster != nil {
		kinds = append(kinds, KillTemporal, CutTemporal)
	}
	if w.o.Ledger == LedgerPostgres {
		kinds = append(kinds, CutLedger)
	}
	if w.o.Servers > 1 {
		kinds = append(kinds, FreezeLong)
	}
	return slices.DeleteFunc(kinds, func(k Kind) bool { return w.o.Kinds != nil && !slices.Contains(w.o.Kinds, k) })
}

// routes is the configuration of the destinations: two warehouses and a webhook
// get the merged records, a trail every change. Its retries are quick and its
// writes short, so that leases are not longer than they must be.
func (w *world) routes() string {
	return fmt.Sprintf(`destinations:
  pg:
    plugin: postgres
    config: {url: %q, schema: books}
    timeout: 5s
    retry: {initial_interval: 100ms, max_interval: 2s}
  lite:
    plugin: sqlite
    config: {path: %q}
    timeout: 5s
    retry: {initial_interval: 100ms, max_interval: 2s}
  trail:
    plugin: file
    config: {path: %q}
    timeout: 5s
    retry: {initial_interval: 100ms, max_interval: 2s}
  hook:
    plugin: webhook
    config: {url: %q, batch: true, timeout: 3s, allow_networks: [127.0.0.0/8]}
    max_batch: 50
    timeout: 5s
    retry: {initial_interval: 100ms, max_interval: 2s}
routes:
  - name: records
    to: [pg, lite, hook]
  - name: trail
    events: ["*"]
    mode: changes
    to: [trail]
`, rewire(w.books, w.database), w.lite(), w.trail(), w.receiver.url)
}

func (w *world) lite() string  { return filepath.Join(w.o.Dir, "lite.db") }
func (w *world) trail() string { return filepath.Join(w.o.Dir, "trail") }

// begin starts the servers and waits until all is well.
func (w *world) begin(ctx context.Context) error {
	for _, n := range w.nodes {
		go n.keep(w.report.fail) // ends in stop
		n.awaitUp(ctx)
	}
	if w.cluster != nil {
		if err := w.sluiceSetup(ctx); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		if err := n.awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sluiceSetup registers the search attributes, as soon as Temporal answers.
func (w *world) sluiceSetup(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		out, err := exec.CommandContext(ctx, w.o.Sluice, "setup", "-c", w.nodes[0].Config).CombinedOutput()
		if err == nil {
			return nil
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return fmt.Errorf("sluice setup: %w\n%s", err, out)
		}
	}
}

// excuse allows the node to end by itself for a while.
func (w *world) excuse(n *node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.excused = time.Now().Add(20 * time.Second)
}

// keepOut allows servers whose ledger a fault keeps out of reach to fail to start
// for as long as it lasts, and a little longer.
func (w *world) keepOut(d time.Duration, nodes ...*node) {
	if w.o.Ledger != LedgerPostgres {
		return
	}
	for _, n := range nodes {
		n.mu.Lock()
		n.unborn = time.Now().Add(d + 15*time.Second)
		n.mu.Unlock()
	}
}

// target is where the sandbox sends: each request to one of the doors.
func (w *world) target() sandbox.Target {
	rng := rand.New(rand.NewPCG(w.o.Seed, 0xd005))
	var mu sync.Mutex
	transport := &http.Transport{MaxIdleConnsPerHost: 24}
	pick := roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		n := w.nodes[rng.IntN(len(w.nodes))]
		mu.Unlock()
		r = r.Clone(r.Context())
		r.URL.Host = n.door.Address()
		return transport.RoundTrip(r)
	})
	return sandbox.Target{
		URL: w.nodes[0].URL, Headers: map[string]string{"api_key": harness.APIKey},
		Client: &http.Client{Timeout: 4 * time.Second, Transport: pick},
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// observe is told of every attempt, one at a time.
func (w *world) observe(a sandbox.Attempt) {
	if w.acks == nil {
		w.acks = make(map[string]bool)
	}
	if a.Err == nil && a.Status >= 200 && a.Status < 300 {
		w.acks[a.Event.ID] = true
	}
}

// tearDown ends everything that setUp began, however far it came.
func (w *world) tearDown() error {
	var errs []error
	for _, n := range w.nodes {
		if n.starts > 0 {
			_ = n.signal(9)
			n.mu.Lock()
			n.stopping = true
			n.mu.Unlock()
			<-n.done
		}
		n.door.Close()
		if n.ledger != nil {
			n.ledger.Close()
		}
	}
	if w.cluster != nil {
		errs = append(errs, w.cluster.Kill())
		w.frontend.Close()
	}
	if w.database != nil {
		w.database.Close()
	}
	if w.postgres != nil {
		errs = append(errs, w.postgres.Stop())
	}
	if w.receiver != nil {
		w.receiver.close()
	}
	for _, dir := range w.mounts {
		errs = append(errs, w.unmount(dir))
	}
	return errors.Join(errs...)
}

// unmount keeps what is evidence.
func (w *world) unmount(dir string) error {
	if len(w.report.Wrong) > 0 {
		if err := os.CopyFS(dir+"-kept", os.DirFS(dir)); err != nil {
			w.log.Error("keep the data directory", "err", err)
		}
	}
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("unmount %s: %w: %s", dir, err, out)
	}
	return nil
}
