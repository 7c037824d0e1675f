package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	_ "modernc.org/sqlite" // reads the warehouse that the plugin wrote

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// Options of a demo.
type Options struct {
	Sluice  string // the binary to run
	Dir     string // everything is written here; emptied first
	Seed    uint64
	Records int
	Keep    bool // stay up until the context ends
	Out     io.Writer
}

// marker says that a directory was made by a demo, and may be emptied.
const marker = ".sluice-demo"

// Run starts a Sluice of its own with everything embedded, plays a company's
// life with faults, waits until all is delivered, and verifies the destinations.
func Run(ctx context.Context, o Options) error {
	if err := prepare(o.Dir); err != nil {
		return err
	}
	s, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	defer s.stop()

	fmt.Fprintf(o.Out, "sluice is up: webhooks at %s, Temporal UI at %s\n", s.links.Endpoint, s.links.TemporalUI)
	fmt.Fprintf(o.Out, "a sandbox company plays %d records: initial sync, partial updates, full sync, deletes; duplicates, reordering, late retries and bursts are on\n\n", o.Records)
	sb := sandbox.New(sandbox.Options{Seed: o.Seed, Records: o.Records, Faults: sandbox.Faults, RetryBase: 200 * time.Millisecond})
	began := time.Now()
	report, err := sb.Play(ctx, sandbox.Target{URL: s.links.Endpoint + "rootfi", Headers: map[string]string{"api_key": apiKey}})
	if err != nil {
		return fmt.Errorf("play the sandbox: %w", err)
	}
	fmt.Fprintf(o.Out, "sent         %d webhooks (%d requests) in %v\n", report.Events, report.Sent, report.Elapsed.Round(time.Millisecond))
	if len(report.GaveUp) > 0 {
		return fmt.Errorf("%d webhooks were not accepted, the first with status %d", len(report.GaveUp), report.GaveUp[0].Status)
	}
	status, err := Drained(ctx, s.client, 5*time.Minute)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "delivered    everything, %v after the first webhook\n\n", time.Since(began).Round(100*time.Millisecond))

	comparison, err := verify(ctx, o.Dir, sb.Expected())
	if err != nil {
		return err
	}
	lines, err := countLines(filepath.Join(o.Dir, "audit"))
	if err != nil {
		return err
	}
	changes, dead := printModels(o.Out, status, comparison)
	fmt.Fprintf(o.Out, "\nwarehouse    %s\naudit trail  %s (%d lines)\ntemporal UI  %s\nlog          %s\n",
		filepath.Join(o.Dir, "warehouse.db"), filepath.Join(o.Dir, "audit"), lines, s.links.TemporalUI, filepath.Join(o.Dir, "sluice.log"))

	for _, d := range comparison.Differences {
		fmt.Fprintln(o.Out, "DIFFERENT   ", d)
	}
	switch {
	case !comparison.OK():
		return errors.New("the warehouse is not what the sandbox expects")
	case dead > 0:
		return fmt.Errorf("%d deliveries were given up: sluice dead-letters list -c %s", dead, filepath.Join(o.Dir, "sluice.yaml"))
	case int64(lines) != changes:
		return fmt.Errorf("the audit trail has %d lines, and %d changes and events were sent", lines, changes)
	}
	fmt.Fprintln(o.Out, "\nverified: every record stands in the warehouse in its right final state, every change once in the audit trail")
	if o.Keep {
		fmt.Fprintf(o.Out, "\nstaying up; look around with: %s status -c %s   (Ctrl-C ends it)\n", o.Sluice, filepath.Join(o.Dir, "sluice.yaml"))
		<-ctx.Done()
	}
	return nil
}

// Drained waits until the server has delivered, or given up, everything that it
// accepted, and returns its status.
func Drained(ctx context.Context, c *admin.Client, limit time.Duration) (admin.Status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not everything was delivered within %v", limit))
	defer cancel()
	for {
		s, err := c.Status(ctx)
		if err != nil && ctx.Err() == nil {
			return s, err
		}
		waiting := s.Backlog.Events + s.Backlog.Batches
		for _, d := range s.Deliveries {
			waiting += d.Waiting
		}
		if err == nil && waiting == 0 {
			return s, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

const apiKey = "demo-key"

const demoConfig = `# Written by sluice demo.
server: {listen: %q, admin: %q}
data_dir: %q
temporal: {embedded: {listen: "127.0.0.1:0", ui: %q}}
sources:
  rootfi:
    type: rootfi
    auth:
      - header: {name: api_key, value: "%s"}
destinations:
  warehouse:
    plugin: sqlite
    config: {path: %q}
  audit:
    plugin: file
    config: {path: %q, format: jsonl}
routes:
  - name: all-records
    models: ["*"]
    to: [warehouse]
  - name: everything-to-audit
    events: ["*"]
    mode: changes
    to: [audit]
`

// prepare empties the directory of an earlier demo, and no other directory.
func prepare(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
			return fmt.Errorf("%s is not empty and not of an earlier demo: name another with --dir", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, marker), nil, 0o644)
}

// free returns the address if nobody listens there, or else one with a free port.
func free(preferred string) (string, error) {
	if l, err := net.Listen("tcp", preferred); err == nil {
		return preferred, l.Close()
	}
	others, err := proc.FreePorts(1)
	if err != nil {
		return "", err
	}
	return others[0], nil
}

// demoServer is a `sluice serve` of the demo's own.
type demoServer struct {
	cmd    *exec.Cmd
	log    *os.File
	exited chan error
	client *admin.Client
	links  admin.Links
}

func startServer(ctx context.Context, o Options) (*demoServer, error) {
	addresses := make([]string, 3)
	for i, preferred := range []string{"127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8233"} {
		var err error
		if addresses[i], err = free(preferred); err != nil {
			return nil, err
		}
	}
	conf := filepath.Join(o.Dir, "sluice.yaml")
	text := fmt.Sprintf(demoConfig, addresses[0], addresses[1], filepath.Join(o.Dir, "data"), addresses[2], apiKey,
		filepath.Join(o.Dir, "warehouse.db"), filepath.Join(o.Dir, "audit"))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	logFile, err := os.Create(filepath.Join(o.Dir, "sluice.log"))
	if err != nil {
		return nil, err
	}
	s := &demoServer{cmd: exec.Command(o.Sluice, "serve", "-c", conf), log: logFile, exited: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = logFile, logFile
	// A Ctrl-C is for the demo, which stops the server in its own time.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Sluice, err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	s.client = admin.NewClient(addresses[1], "")
	if err := s.ready(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *demoServer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("the server did not get ready within a minute"))
	defer cancel()
	for {
		if r, err := s.client.Ready(ctx); err == nil && r.Status == admin.StatusReady {
			status, err := s.client.Status(ctx)
			s.links = status.Links
			return err
		}
		select {
		case err := <-s.exited:
			s.exited <- err
			return fmt.Errorf("the server ended (%v): see %s", err, s.log.Name())
		case <-ctx.Done():
			return fmt.Errorf("%w: see %s", context.Cause(ctx), s.log.Name())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *demoServer) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // fails only if it ended already
	select {
	case <-s.exited:
	case <-time.After(time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	s.log.Close()
	http.DefaultClient.CloseIdleConnections()
}

func verify(ctx context.Context, dir string, expected []sandbox.Record) (Comparison, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "warehouse.db")+"?mode=ro")
	if err != nil {
		return Comparison{}, err
	}
	defer db.Close()
	c, err := Compare(ctx, db, SQLiteTable, expected)
	if err != nil {
		return c, fmt.Errorf("verify the warehouse: %w", err)
	}
	return c, nil
}

// printModels prints a row per model and destination. It returns how many
// changes and events were to arrive in the audit trail, and how many deliveries
// were given up.
func printModels(w io.Writer, s admin.Status, c Comparison) (changes, dead int64) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "model\tdestination\tsent\tunchanged\tdelivered\tdead\tcorrect\t")
	correct := make(map[string]string)
	for _, m := range c.Models {
		correct[m.Model] = fmt.Sprintf("%d/%d", m.Equal, m.Expected)
	}
	for _, d := range s.Deliveries {
		model := s.Models[d.Model]
		name, check := d.Model, ""
		if d.Model == "" {
			name, model.Changes = "(events)", d.Delivered+d.Dead
		}
		if d.Destination == "audit" {
			changes += model.Changes
		} else {
			check = correct[d.Model]
		}
		dead += d.Dead
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t\n", name, d.Destination, model.Changes, model.Unchanged, d.Delivered, d.Dead, check)
	}
	_ = t.Flush() // an error of w shows at its next write
	return changes, dead
}
