package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// errorUnkeyed marks a change that nothing identifies. Stored; never rename.
const errorUnkeyed = "unkeyed"

// conditions builds the WHERE of a query with its arguments.
type conditions struct {
	sql  strings.Builder
	args []any
}

// and adds a condition; ? stands for the argument.
func (c *conditions) and(condition string, arg any) {
	if c.sql.Len() > 0 {
		c.sql.WriteString(" AND ")
	}
	c.sql.WriteString(strings.ReplaceAll(condition, "?", c.add(arg)))
}

// add adds an argument and returns its placeholder.
func (c *conditions) add(arg any) string {
	c.args = append(c.args, arg)
	return fmt.Sprintf("$%d", len(c.args))
}

// letterFilter is the condition for open dead letters that match, without the
// limit.
func letterFilter(f ledger.DeadLetterFilter) *conditions {
	c := new(conditions)
	c.sql.WriteString(`state = 'open'`)
	if len(f.IDs) > 0 {
		c.and("id = ANY(?)", f.IDs)
	}
	if f.Destination != "" {
		c.and("destination = ?", text(f.Destination))
	}
	if f.Model != "" {
		c.and("model = ?", text(f.Model))
	}
	if f.Code != "" {
		c.and("code = ?", text(f.Code))
	}
	if f.BeforeID > 0 {
		c.and("id < ?", f.BeforeID)
	}
	return c
}

const letterColumns = `id, destination, route, kind, source, company_id, integration, model, platform_id,
	event_seq, event_id, idx, version, error_kind, code, message, attempts, created_at, state`

func scanLetter(r pgx.CollectableRow) (d ledger.DeadLetter, err error) {
	var key event.RecordKey
	err = r.Scan(&d.ID, &d.Destination, &d.Route, &d.Kind, &key.Source, &key.CompanyID, &key.Integration, &key.Model, &key.PlatformID,
		&d.EventSeq, &d.EventID, &d.Index, &d.Version, &d.ErrorKind, &d.Code, &d.Message, &d.Attempts, &d.CreatedAt, &d.State)
	d.CreatedAt = d.CreatedAt.UTC()
	if d.Kind != ledger.DeliverEvent {
		d.Key = key
	}
	return d, err
}

// ListDeadLetters implements [ledger.Reader].
func (l *Ledger) ListDeadLetters(ctx context.Context, f ledger.DeadLetterFilter) ([]ledger.DeadLetter, error) {
	var out []ledger.DeadLetter
	c := letterFilter(f)
	limit := c.add(pageSize(f.Limit))
	b := new(pgx.Batch)
	query(b, &out, scanLetter, `SELECT `+letterColumns+` FROM dead_letters WHERE `+c.sql.String()+` ORDER BY id DESC LIMIT `+limit, c.args...)
	return out, explain(l.read(ctx, b), "list dead letters")
}

// DeadLetterByID implements [ledger.Reader].
func (l *Ledger) DeadLetterByID(ctx context.Context, id int64) (ledger.DeadLetter, error) {
	var out []ledger.DeadLetter
	b := new(pgx.Batch)
	query(b, &out, scanLetter, `SELECT `+letterColumns+` FROM dead_letters WHERE id = $1`, id)
	err := l.read(ctx, b)
	if err == nil && len(out) == 0 {
		err = errNotFound
	}
	if err != nil {
		return ledger.DeadLetter{}, explain(err, "dead letter %d", id)
	}
	return out[0], nil
}

// lettersAtOnce bounds one transaction over dead letters.
const lettersAtOnce = 2000

// letter is what the actions on dead letters need to know of one.
type letter struct {
	id       int64
	delivery *int64
}

// queueMatching locks the next dead letters after one that the filter takes. With
// keyed, those without a delivery are left out.
func queueMatching(b *pgx.Batch, out *[]letter, f ledger.DeadLetterFilter, after int64, keyed bool, n int) {
	c := letterFilter(f)
	if keyed {
		c.sql.WriteString(" AND delivery_id IS NOT NULL")
	}
	c.and("id > ?", after)
	limit := c.add(n)
	query(b, out, func(r pgx.CollectableRow) (d letter, err error) {
		return d, r.Scan(&d.id, &d.delivery)
	}, `SELECT id, delivery_id FROM dead_letters WHERE `+c.sql.String()+` ORDER BY id LIMIT `+limit+` FOR UPDATE`, c.args...)
}

// RetryDeadLetters implements [ledger.Operator]. Many dead letters take several
// transactions: when one fails, those before it are booked, and the others are
// open still.
func (l *Ledger) RetryDeadLetters(ctx context.Context, f ledger.DeadLetterFilter) (batch int64, n int, err error) {
	n, err = l.eachLetter(ctx, f, true, func(ctx context.Context, t *tx, page []letter) error {
		made, err := l.rebook(ctx, t, page, batch)
		if err == nil {
			batch = made
		}
		return err
	})
	if n > 0 {
		l.notify()
		l.news.tell()
	}
	return batch, n, explain(err, "retry dead letters")
}

// rebook lets the deliveries wait again, in the batch, which is made if it is 0.
// One may wait already, for a newer version; then it comes into the batch and is
// due.
func (l *Ledger) rebook(ctx context.Context, t *tx, page []letter, batch int64) (int64, error) {
	var letters, ids []int64
	for _, d := range page {
		letters, ids = append(letters, d.id), append(ids, *d.delivery)
	}
	var now time.Time
	type row struct {
		modelKey
		id, batch int64
		state     int
	}
	var rows []row
	b := t.batch()
	if batch == 0 {
		one(b, func(r pgx.Row) error { return r.Scan(&batch, &now) }, `INSERT INTO batches (first_seq, last_seq, seqs, created_at, applied)
			VALUES (0, 0, '{}', `+dbNow("$1")+`, true) RETURNING id, created_at`, l.clock())
	} else {
		// What was booked before may be delivered by now; see closeBatches.
		one(b, func(r pgx.Row) error { return r.Scan(&now) }, `UPDATE batches SET done = false WHERE id = $2 RETURNING `+dbNow("$1"), l.clock(), batch)
	}
	query(b, &rows, func(r pgx.CollectableRow) (d row, err error) {
		return d, r.Scan(&d.id, &d.destination, &d.model, &d.batch, &d.state)
	}, `SELECT id, destination, model, batch, state FROM deliveries WHERE id = ANY($1) AND state <> 1 ORDER BY id FOR UPDATE`, ids)
	if err := t.send(ctx, b); err != nil {
		return 0, err
	}
	var tally tally
	var moved []int64
	for _, d := range rows {
		moved = append(moved, d.id)
		tally.leave(d.modelKey, d.batch, d.state)
		tally.come(d.modelKey, batch, waiting)
	}
	b = t.batch()
	b.Queue(`UPDATE deliveries SET batch = $2, since = CASE WHEN state = 0 THEN since ELSE $3 END, state = 0, due = NULL,
		attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL WHERE id = ANY($1)`, moved, batch, now)
	queueMoved(b, moved, batch)
	b.Queue(`UPDATE dead_letters SET state = 'retried' WHERE id = ANY($1)`, letters)
	tally.flush(b)
	return batch, t.commit(ctx, b)
}

// DiscardDeadLetters implements [ledger.Operator].
func (l *Ledger) DiscardDeadLetters(ctx context.Context, f ledger.DeadLetterFilter) (int, error) {
	n, err := l.eachLetter(ctx, f, false, func(ctx context.Context, t *tx, page []letter) error {
		var ids []int64
		for _, d := range page {
			ids = append(ids, d.id)
		}
		b := t.batch()
		b.Queue(`UPDATE dead_letters SET state = 'discarded' WHERE id = ANY($1)`, ids)
		return t.commit(ctx, b)
	})
	return n, explain(err, "discard dead letters")
}

// eachLetter acts on all that match, oldest first, a page per transaction. act
// commits.
func (l *Ledger) eachLetter(ctx context.Context, f ledger.DeadLetterFilter, keyed bool, act func(context.Context, *tx, []letter) error) (n int, err error) {
	var last int64
	for {
		size := lettersAtOnce
		if f.Limit > 0 {
			size = min(size, f.Limit-n)
		}
		if size == 0 {
			return n, nil
		}
		var page []letter
		err := l.write(ctx, func(ctx context.Context, t *tx) error {
			b := t.batch()
			queueMatching(b, &page, f, last, keyed, size)
			if err := t.send(ctx, b); err != nil {
				return err
			}
			if len(page) == 0 {
				return t.commit(ctx, t.batch())
			}
			return act(ctx, t, page)
		})
		if err != nil {
			return n, err
		}
		n += len(page)
		if len(page) < size {
			return n, nil
		}
		last = page[len(page)-1].id
	}
}

func pageSize(limit int) int {
	if limit <= 0 {
		return 50
	}
	return limit
}
