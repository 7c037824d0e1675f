package sqlcore

import (
	"context"
	"errors"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// maxAge is how long the shape of a table is trusted. A stale one is noticed
// when a statement fails. Only a column that another process widened is not, and
// one that another process added, where there are nulls for it: see ready.
const maxAge = time.Minute

// maxLooks is how often a batch is planned: tables may change under it, and each
// column that cannot be altered takes one more look.
const maxLooks = 100

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
		if c.plan != nil && c.plan.nulls && now.exists && now.read.Before(c.began) {
			// Another process may have added the column and written a value, which
			// the null has to clear.
			c.forget()
			continue
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
