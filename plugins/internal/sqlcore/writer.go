package sqlcore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Options are what the settings of every SQL destination have in common.
type Options struct {
	HardDelete bool   // remove the rows of deleted records; a table of tombstones guards their versions
	Prefix     string // of every table's name
	// Masked is for databases where a statement costs more than its rows: one
	// upsert for rows with different fields, instead of one for each set of fields.
	Masked bool
}

// Writer writes batches to one database. It may be used concurrently.
type Writer struct {
	db      Database
	options Options

	mu     sync.Mutex // not held across calls of db
	shapes map[string]*shape
}

// NewWriter returns a writer.
func NewWriter(db Database, options Options) *Writer {
	return &Writer{db: db, options: options, shapes: map[string]*shape{}}
}

// maxClashes is how often a transaction that lost against another one is tried.
const maxClashes = 4

func (w *Writer) layout(b *destination.Batch) layout {
	table := w.options.Prefix + b.Object
	if b.Mode == destination.ModeChanges {
		table += "_changes"
	}
	table = w.db.Names().table(table)
	if b.Mode == destination.ModeRecords {
		return recordLayout(table, b.KeyFields)
	}
	return appendLayout(table)
}

// tombstones is the table that remembers removed rows of another one.
func (w *Writer) tombstones(b *destination.Batch) layout {
	return recordLayout(w.db.Names().table(w.options.Prefix+b.Object+"_tombstones"), b.KeyFields)
}

// Write implements the method of [destination.Destination].
func (w *Writer) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	c, err := w.newCall(&b)
	if err != nil {
		return nil, err
	}
	all := make([]int, len(b.Records))
	for i := range all {
		all[i] = i
	}
	if err := c.write(ctx, all); err != nil {
		return nil, err
	}
	return c.results, nil
}

// call is one batch on its way.
type call struct {
	*Writer
	batch   *destination.Batch
	layout  layout
	refused refusals
	results []destination.Result
	began   time.Time

	plan *plan // records only
	rows []*row
}

func (w *Writer) newCall(b *destination.Batch) (*call, error) {
	switch b.Mode {
	case destination.ModeRecords:
		if len(b.KeyFields) == 0 {
			return nil, failure(destination.Rejected, "INVALID_KEY", errors.New("the batch names no key fields"))
		}
	case destination.ModeChanges, destination.ModeEvents:
	default:
		return nil, failure(destination.Misconfigured, "UNKNOWN_MODE", fmt.Errorf("mode %q is newer than this plugin: update the plugin", b.Mode))
	}
	return &call{
		Writer: w, batch: b, layout: w.layout(b), refused: refusals{},
		results: make([]destination.Result, len(b.Records)), began: time.Now(),
	}, nil
}

// write writes the given records and fills in their results.
func (c *call) write(ctx context.Context, places []int) error {
	c.rows = collect(c.batch, places, c.results, c.options.HardDelete)
	if len(c.rows) == 0 {
		return nil
	}
	todo := make([]int, len(c.rows))
	for i := range todo {
		todo[i] = i
	}
	for look := 0; ; look++ {
		now, err := c.ready(ctx)
		if err != nil {
			return c.Failure("prepare table "+c.layout.table, err)
		}
		var fits []int
		for _, i := range todo {
			if fault, ok := c.misfits()[i]; ok {
				c.settle(i, destination.Result{
					Kind: destination.Rejected, Code: fault.Code,
					Message: "a value does not fit its column, and the database does not let the column be altered (a view or an index may use it)",
				})
				continue
			}
			fits = append(fits, i)
		}
		stale := c.bisect(ctx, now, fits)
		if len(stale) == 0 {
			break
		}
		c.forget()
		if todo = stale; look >= 2 {
			for _, i := range stale {
				c.settle(i, destination.Result{Kind: destination.Retry, Code: "TABLE_CHANGES", Message: "the table is being changed by somebody else"})
			}
			break
		}
	}
	return c.unfold(ctx)
}

func (c *call) misfits() map[int]Fault {
	if c.plan == nil {
		return nil
	}
	return c.plan.misfits
}

// unfold gives the older records of a key their own chance where the newest one
// was refused.
func (c *call) unfold(ctx context.Context) error {
	var again []int
	for _, r := range c.rows {
		k := c.results[r.newest].Kind
		if k == destination.Rejected || k == destination.Dependency {
			again = append(again, r.older...)
		}
	}
	if len(again) == 0 {
		return nil
	}
	return c.write(ctx, again)
}

// settle gives all records of a row its result.
func (c *call) settle(i int, result destination.Result) {
	for _, record := range c.rows[i].records() {
		c.results[record] = result
	}
}

// bisect writes rows in one transaction. If the database refuses a value it
// halves them until the bad rows are alone. It returns the rows that met a table
// which is not as planned.
func (c *call) bisect(ctx context.Context, now *shape, selected []int) (stale []int) {
	if len(selected) == 0 {
		return nil
	}
	err := c.commit(ctx, c.work(now, selected))
	if err == nil {
		for _, i := range selected {
			c.settle(i, destination.Result{Kind: destination.Delivered})
		}
		return nil
	}
	fault := c.db.Fault(err)
	switch {
	case fault.Kind == Stale:
		return selected
	case (fault.Kind == Bad || fault.Kind == Orphan) && len(selected) > 1:
		half := len(selected) / 2
		return append(c.bisect(ctx, now, selected[:half]), c.bisect(ctx, now, selected[half:])...)
	}
	for _, i := range selected {
		c.settle(i, destination.Result{Kind: resultKind(fault.Kind), Code: fault.Code, Message: err.Error(), Until: fault.Until})
	}
	return nil
}

// commit writes, and tries again at once after a deadlock.
func (c *call) commit(ctx context.Context, work Work) error {
	for try := 1; ; try++ {
		err := c.db.Write(ctx, work)
		if err == nil || c.db.Fault(err).Kind != Clash || try == maxClashes || ctx.Err() != nil {
			return err
		}
	}
}

func (c *call) work(now *shape, selected []int) Work {
	if c.batch.Mode != destination.ModeRecords {
		return Work{Table: c.layout.table, Statements: []Statement{appended(c.batch, c.layout, c.rows, selected)}}
	}
	if !c.options.HardDelete && !now.buries {
		return Work{Table: c.layout.table, Statements: c.upserts(selected, "")}
	}
	graves := c.tombstones(c.batch)
	work := Work{Table: c.layout.table, Guarded: true}
	var live, dead []int
	for _, i := range selected {
		if c.rows[i].gone {
			dead = append(dead, i)
		} else {
			live = append(live, i)
		}
	}
	if len(dead) > 0 {
		work.Buries = true
		work.Statements = append(work.Statements, upsert(graves, c.rows, dead, ""), remove(c.layout, c.rows, dead))
	}
	if len(live) > 0 {
		work.Statements = append(work.Statements, c.upserts(live, graves.table)...)
		work.Statements = append(work.Statements, remove(graves, c.rows, live))
	}
	return work
}

func (c *call) upserts(selected []int, unless string) []Statement {
	if c.options.Masked {
		return []Statement{c.plan.masked(c.layout, c.rows, selected, unless)}
	}
	return c.plan.statements(c.layout, c.rows, selected, unless)
}
