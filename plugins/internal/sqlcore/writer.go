package sqlcore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Options are what the settings of every SQL destination have in common.
type Options struct {
	HardDelete bool   // remove the rows of deleted records; a table of tombstones guards their versions
	Prefix     string // of every table's name
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

// maxAge is how long the shape of a table is trusted. A stale one is noticed
// when a statement fails; only a column that another process widened is not.
const maxAge = time.Minute

// maxLooks is how often a batch is planned: tables may change under it, and each
// column that cannot be altered takes one more look.
const maxLooks = 100

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
		results: make([]destination.Result, len(b.Records)),
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
		c.settle(i, destination.Result{Kind: resultKind(fault.Kind), Code: fault.Code, Message: err.Error()})
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
		return Work{Table: c.layout.table, Statements: c.plan.statements(c.layout, c.rows, selected, "")}
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
		work.Statements = append(work.Statements, c.plan.statements(c.layout, c.rows, live, graves.table)...)
		work.Statements = append(work.Statements, remove(graves, c.rows, live))
	}
	return work
}

// ready makes the table able to take the rows, and plans them.
func (c *call) ready(ctx context.Context) (*shape, error) {
	for look := 0; ; look++ {
		if look > maxLooks {
			return nil, errUnsettled
		}
		now, err := c.shape(ctx)
		if err != nil {
			return nil, err
		}
		target, alterations, err := c.fit(now)
		if err != nil {
			return nil, err
		}
		graves := c.options.HardDelete && c.batch.Mode == destination.ModeRecords && !now.buries
		if len(alterations) == 0 && !graves {
			return now, nil
		}
		if graves {
			if err := c.alter(ctx, c.tombstones(c.batch).table, c.digGraves); err != nil {
				return nil, err
			}
		}
		if err := c.alter(ctx, c.layout.table, func(columns []Column) ([]Alteration, error) {
			fresh := newShape(columns)
			target, alterations, err = c.fit(fresh)
			return alterations, err
		}); err != nil {
			if !c.refuse(err) {
				return nil, err
			}
			continue
		}
		target.buries = now.buries || graves
		c.remember(target)
	}
}

// refuse notes a column that cannot be altered, and reports whether planning
// without it is worth a try.
func (c *call) refuse(err error) bool {
	e, ok := errors.AsType[*AlterError](err)
	if !ok {
		return false
	}
	fault := c.db.Fault(err)
	if _, again := c.refused[e.Column]; again || fault.Kind != Refused {
		return false
	}
	c.refused[e.Column] = fault
	return true
}

// digGraves plans the table of tombstones.
func (c *call) digGraves(columns []Column) ([]Alteration, error) {
	l := c.tombstones(c.batch)
	now := newShape(columns)
	target := now.clone()
	if err := target.complete(l); err != nil {
		return nil, err
	}
	if now.exists {
		return nil, nil
	}
	return now.alterations(target, l), nil
}

func (c *call) alter(ctx context.Context, table string, plan func([]Column) ([]Alteration, error)) error {
	var err error
	for range maxClashes {
		if err = c.db.Alter(ctx, table, plan); err == nil || c.db.Fault(err).Kind != Clash {
			break
		}
	}
	return err
}

// fit plans the rows for a table as it is.
func (c *call) fit(now *shape) (*shape, []Alteration, error) {
	if c.batch.Mode != destination.ModeRecords {
		target := now.clone()
		if err := target.complete(c.layout); err != nil {
			return nil, nil, err
		}
		return target.settled(), now.alterations(target, c.layout), nil
	}
	p, err := makePlan(c.db, now, c.layout, c.batch.Types, c.rows, c.refused)
	if err != nil {
		return nil, nil, err
	}
	c.plan = p
	return p.target.settled(), now.alterations(p.target, c.layout), nil
}

// shape returns what is known of the table, or looks.
func (c *call) shape(ctx context.Context) (*shape, error) {
	c.mu.Lock()
	s := c.shapes[c.layout.table]
	c.mu.Unlock()
	if s != nil && time.Since(s.read) < maxAge {
		return s, nil
	}
	columns, err := c.db.Columns(ctx, c.layout.table)
	if err != nil {
		return nil, err
	}
	s = newShape(columns)
	if c.batch.Mode == destination.ModeRecords {
		graves, err := c.db.Columns(ctx, c.tombstones(c.batch).table)
		if err != nil {
			return nil, err
		}
		s.buries = len(graves) > 0
	}
	if s.exists {
		c.remember(s)
	}
	return s, nil
}

func (c *call) remember(s *shape) {
	s.read = time.Now()
	c.mu.Lock()
	c.shapes[c.layout.table] = s
	c.mu.Unlock()
}

func (c *call) forget() {
	c.mu.Lock()
	delete(c.shapes, c.layout.table)
	c.mu.Unlock()
}

// DryRun returns the SQL that Write would send, without values.
func (w *Writer) DryRun(ctx context.Context, b destination.Batch) ([]string, error) {
	c, err := w.newCall(&b)
	if err != nil {
		return nil, err
	}
	places := make([]int, len(b.Records))
	for i := range places {
		places[i] = i
	}
	if c.rows = collect(&b, places, c.results, c.options.HardDelete); len(c.rows) == 0 {
		return nil, nil
	}
	now, err := c.shape(ctx)
	if err != nil {
		return nil, c.Failure("read table "+c.layout.table, err)
	}
	target, alterations, err := c.fit(now)
	if err != nil {
		return nil, c.Failure("plan table "+c.layout.table, err)
	}
	var out []string
	if c.options.HardDelete && b.Mode == destination.ModeRecords && !now.buries {
		graves, err := c.digGraves(nil)
		if err != nil {
			return nil, c.Failure("plan tombstones", err)
		}
		for _, a := range graves {
			out = append(out, w.db.RenderAlteration(c.tombstones(&b).table, a)...)
		}
	}
	for _, a := range alterations {
		out = append(out, w.db.RenderAlteration(c.layout.table, a)...)
	}
	target.buries = now.buries
	selected := make([]int, len(c.rows))
	for i := range selected {
		selected[i] = i
	}
	for _, s := range c.work(target, selected).Statements {
		out = append(out, w.db.Render(s))
	}
	return slices.Clip(out), nil
}
