package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/internal/sandbox"
	"github.com/sluicehq/sluice/workflows"
)

// fleet is several instances that share a Temporal cluster and a ledger in
// PostgreSQL.
type fleet struct {
	t       *testing.T
	cluster *cluster
	setup   setup
}

// newFleet starts a cluster, on the tests' server unless there is another.
// Instances come later.
func newFleet(t *testing.T, database func() string, temporal, rest string) *fleet {
	t.Helper()
	if database == nil {
		database = func() string { return pgtest.URL(t) }
	}
	f := &fleet{t: t, cluster: newClusterOn(t, database())}
	f.cluster.up()
	f.setup = setup{
		temporal: fmt.Sprintf("address: %q", f.cluster.address) + temporal,
		ledger:   fmt.Sprintf("postgres: {url: %q, max_connections: 8}", database()),
		rest:     rest,
	}
	newServer(t, f.setup).run("setup")
	return f
}

// instance returns one that does not run yet, with more arguments of serve.
func (f *fleet) instance(args ...string) *server {
	f.t.Helper()
	o := f.setup
	o.args = args
	return newServer(f.t, o)
}

func (f *fleet) client() client.Client {
	f.t.Helper()
	c, err := client.Dial(client.Options{HostPort: f.cluster.address, Logger: silent()})
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// open counts workflows that are not over.
func (f *fleet) open() int64 {
	f.t.Helper()
	c := f.client()
	defer c.Close()
	got, err := c.CountWorkflow(f.t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: "ExecutionStatus = 'Running' AND WorkflowType = '" + workflows.DeliverEventsName + "'",
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return got.Count
}

// balancer gives connections to instances in turn, and to another one when one
// does not take it: what a load balancer in front of them does.
type balancer struct {
	next     atomic.Int64
	mu       sync.Mutex
	backends []string
}

// balance listens until the end of the test and returns where a sandbox sends to.
func balance(t *testing.T, instances ...*server) (*balancer, sandbox.Target) {
	t.Helper()
	b := new(balancer)
	b.set(instances...)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { b.relay(ctx, c) })
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		open.Wait()
	})
	target := instances[0].target()
	u, err := url.Parse(target.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.Addr().String()
	target.URL = u.String()
	return b, target
}

// set replaces the instances that get new connections.
func (b *balancer) set(instances ...*server) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = nil
	for _, s := range instances {
		b.backends = append(b.backends, s.process.Address())
	}
}

func (b *balancer) dial() (net.Conn, error) {
	b.mu.Lock()
	backends := b.backends
	b.mu.Unlock()
	first := int(b.next.Add(1))
	var last error
	for i := range backends {
		c, err := net.Dial("tcp", backends[(first+i)%len(backends)])
		if err == nil {
			return c, nil
		}
		last = err
	}
	return nil, last
}

func (b *balancer) relay(ctx context.Context, in net.Conn) {
	defer in.Close()
	out, err := b.dial()
	if err != nil {
		return
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() {
		in.Close()
		out.Close()
	})
	defer stop()
	go func() {
		_, _ = io.Copy(out, in)
		out.Close()
	}()
	_, _ = io.Copy(in, out)
}

// witness is a destination that notes the versions it is given, in their order.
type witness struct {
	mu      sync.Mutex
	version map[string]int64
	older   []string // what came after something newer
}

func newWitness() *witness { return &witness{version: make(map[string]int64)} }

func (w *witness) answer(_ http.ResponseWriter, _ *http.Request, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages(body) {
		if m.Version < w.version[m.identity()] {
			w.older = append(w.older, fmt.Sprintf("%s: version %d after %d", m.identity(), m.Version, w.version[m.identity()]))
		}
		w.version[m.identity()] = max(m.Version, w.version[m.identity()])
	}
}

// verify checks that every record came, and none went back.
func (w *witness) verify(t *testing.T, sb *sandbox.Sandbox, gaveUp []string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.older) > 0 {
		t.Errorf("a destination got %d older versions after newer ones: %s", len(w.older), strings.Join(w.older[:min(5, len(w.older))], "; "))
	}
	if got, want := len(w.version), len(sb.ExpectedWithout(gaveUp...)); got != want {
		t.Errorf("the witness has %d records, want %d", got, want)
	}
}

// destinations is the configuration of what any instance can deliver to: a
// warehouse and a witness. Leases are short, for tests that wait for their end.
func (w *witness) destinations(t *testing.T, warehouse trio) string {
	t.Helper()
	return fmt.Sprintf(`destinations:
  pg:
    plugin: postgres
    config: {url: %q, schema: books}
    timeout: 2s
    retry: {initial_interval: 100ms, max_interval: 2s}
  witness:
    plugin: webhook
    config: {url: %q, batch: true, timeout: 1s, allow_networks: [127.0.0.0/8]}
    timeout: 2s
    retry: {initial_interval: 100ms, max_interval: 2s}
routes:
  - name: all
    to: [pg, witness]
`, warehouse.postgres, receive(t, w.answer))
}
