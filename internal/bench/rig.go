package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/harness"
)

// rig is a Sluice with everything that a scenario needs around it: a data
// directory and a database of its own. The PostgreSQL server is that of the run.
type rig struct {
	bench  *bench
	dir    string
	server *harness.Server
	url    string // of the destination's database
	ledger string // of the ledger's database, if it is in PostgreSQL
	queue  string // task queue of the workflows
	db     *pgx.Conn

	events, records int64 // numbers that were used
}

// setup is what differs between the rigs of scenarios.
type setup struct {
	sluice       string // another program than that of the run
	temporal     string // the section; empty: as the run has it
	ledger       string // more of the section
	destinations string // more of them, each with its lines indented by two
	to           string // more names for the route, each after ", "
}

// newRig starts everything and waits until the first record is visible.
func (b *bench) newRig(ctx context.Context, s setup) (*rig, error) {
	r, err := b.prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.close(ctx))
	}
	return r, nil
}

// watched runs a scenario on a rig whose destination is watched, and ends both.
func (b *bench) watched(ctx context.Context, s setup, do func(r *rig, w *watch) error) (err error) {
	r, err := b.newRig(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	w, err := newWatch(ctx, r.url, nil)
	if err != nil {
		return err
	}
	defer w.close()
	return do(r, w)
}

func (b *bench) prepare(ctx context.Context, s setup) (*rig, error) {
	b.rigs++
	name := fmt.Sprintf("bench_%d", b.rigs)
	r := &rig{bench: b, dir: filepath.Join(b.dir, name), queue: "sluice"}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if r.url, err = b.pg.CreateDatabase(ctx, name); err != nil {
		return nil, err
	}
	o := harness.Options{
		Sluice: b.o.Sluice, Plugins: b.plugins, Dir: r.dir, LogLevel: "warn", Ledger: s.ledger, Temporal: s.temporal,
		Rest: fmt.Sprintf("destinations:\n  warehouse:\n    plugin: postgres\n    config: {url: %q, schema: books}\n%s"+
			"routes:\n  - name: all\n    to: [warehouse%s]\n", r.url, s.destinations, s.to),
	}
	if s.sluice != "" {
		o.Sluice = s.sluice
	}
	if b.o.Ledger == "postgres" {
		if r.ledger, err = b.pg.CreateDatabase(ctx, name+"_ledger"); err != nil {
			return nil, err
		}
		section := fmt.Sprintf("postgres: {url: %q}", r.ledger)
		if o.Ledger != "" {
			section += ", " + o.Ledger
		}
		o.Ledger = section
	}
	external := o.Temporal == "" && b.o.Temporal != embedded
	if external {
		r.queue = fmt.Sprintf("%s-%d", name, os.Getpid())
		o.Temporal = fmt.Sprintf("address: %q, task_queue: %s", b.o.Temporal, r.queue)
	}
	if r.server, err = harness.New(o); err != nil {
		return nil, err
	}
	if external {
		if out, err := exec.CommandContext(ctx, o.Sluice, "setup", "-c", r.server.Config).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("sluice setup: %w\n%s", err, out)
		}
		r.server.Temporal = b.o.Temporal
	}
	return r, nil
}

// start brings the server up and one record to its end, so that the table is
// there and every part has worked once. A destination that is broken on purpose
// keeps the server from saying that it is ready.
func (r *rig) start(ctx context.Context) error {
	if err := r.server.Start(); err != nil {
		return err
	}
	if err := r.server.Up(ctx); err != nil {
		return err
	}
	if _, err := r.send(ctx, load{connections: 1, records: 1, count: 1}); err != nil {
		return err
	}
	var err error
	if r.db, err = pgx.Connect(ctx, r.url); err != nil {
		return err
	}
	return r.server.Wait(ctx, "deliver the first record", func() bool {
		n, err := r.rows(ctx)
		return err == nil && n == 1
	})
}

// send runs a load with numbers that were not used yet.
func (r *rig) send(ctx context.Context, l load) (*sent, error) {
	l.firstEvent, l.firstRecord = r.events, r.records
	s, err := r.repeat(ctx, l)
	if s != nil {
		r.records += s.messages * int64(l.records)
	}
	return s, err
}

// repeat runs a load that names its records itself.
func (r *rig) repeat(ctx context.Context, l load) (*sent, error) {
	l.firstEvent = r.events
	l.to = target{address: r.server.Address(), path: harness.Path, apiKey: harness.APIKey}
	if l.operation == "" {
		l.operation = "CREATE"
	}
	if l.created.IsZero() {
		l.created = time.Now()
	}
	s, err := l.run(ctx)
	if s != nil {
		r.events += s.messages
	}
	return s, err
}

// rows counts the destination's rows.
func (r *rig) rows(ctx context.Context) (int64, error) {
	var n int64
	err := r.db.QueryRow(ctx, "SELECT count(*) FROM "+table).Scan(&n)
	return n, err
}

// complete checks that the destination has every record that was sent, and no
// other.
func (r *rig) complete(ctx context.Context) error {
	n, err := r.rows(ctx)
	if err != nil {
		return fmt.Errorf("count the destination's rows: %w", err)
	}
	if n != r.records {
		return fmt.Errorf("%d records were acknowledged, the destination has %d", r.records, n)
	}
	return nil
}

// close ends everything and removes it. The log of a server that failed is
// shown by the error that came before.
func (r *rig) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var problems []error
	if r.db != nil {
		problems = append(problems, r.db.Close(ctx))
	}
	if r.server != nil {
		problems = append(problems, r.server.Kill())
	}
	return errors.Join(append(problems, os.RemoveAll(r.dir))...)
}
