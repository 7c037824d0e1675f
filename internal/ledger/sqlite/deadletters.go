package sqlite

import (
	"context"
	"strings"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// The states of a dead letter. Stored; never rename.
const (
	letterOpen       = "open"
	letterRetried    = "retried"
	letterDiscarded  = "discarded"
	letterSuperseded = "superseded"
)

// errorUnkeyed marks a change that nothing identifies. Stored; never rename.
const errorUnkeyed = "unkeyed"

const insertDeadLetter = `INSERT INTO dead_letters (delivery_id, destination, route, kind, source, company_id, integration, model,
	platform_id, event_seq, event_id, idx, version, error_kind, code, message, attempts, created_at, state)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// eventHead is what a dead letter says of its event, for as long as it is kept:
// the event may be gone by then.
type eventHead struct{ source, id, companyID, integration string }

// heads reads from the events file, before a transaction on the other one.
func (l *Ledger) heads(ctx context.Context, seqs []int64) (map[int64]eventHead, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	out := make(map[int64]eventHead, len(seqs))
	err := l.events.read(ctx, func(c *conn) error {
		for _, seq := range seqs {
			if _, err := c.one(ctx, `SELECT source, event_id, company_id, integration FROM events WHERE seq = ?`,
				func(r row) { out[seq] = eventHead{r.text(0), r.text(1), r.text(2), r.text(3)} }, seq); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// letterFilter is the condition for open dead letters that match, without the
// limit.
func letterFilter(f ledger.DeadLetterFilter) (where string, args []any) {
	var b strings.Builder
	b.WriteString(`state = 'open'`)
	and := func(condition string, arg any) {
		b.WriteString(" AND " + condition)
		args = append(args, arg)
	}
	if len(f.IDs) > 0 {
		and("id IN (SELECT value FROM json_each(?))", idList(f.IDs))
	}
	if f.Destination != "" {
		and("destination = ?", f.Destination)
	}
	if f.Model != "" {
		and("model = ?", f.Model)
	}
	if f.Code != "" {
		and("code = ?", f.Code)
	}
	if f.BeforeID > 0 {
		and("id < ?", f.BeforeID)
	}
	return b.String(), args
}

const letterColumns = `id, destination, route, kind, source, company_id, integration, model, platform_id,
	event_seq, event_id, idx, version, error_kind, code, message, attempts, created_at, state`

func scanLetter(r row) ledger.DeadLetter {
	d := ledger.DeadLetter{
		ID: r.int(0), Destination: r.text(1), Route: r.text(2), Kind: ledger.DeliveryKind(r.text(3)),
		EventSeq: r.int(9), EventID: r.text(10), Index: int(r.int(11)), Version: r.int(12),
		ErrorKind: r.text(13), Code: r.text(14), Message: r.text(15), Attempts: int(r.int(16)),
		CreatedAt: r.time(17), State: r.text(18),
	}
	if d.Kind != ledger.DeliverEvent {
		d.Key = event.RecordKey{
			Source: r.text(4), CompanyID: r.text(5), Integration: r.text(6), Model: r.text(7), PlatformID: r.text(8),
		}
	}
	return d
}

// ListDeadLetters implements [ledger.Reader].
func (l *Ledger) ListDeadLetters(ctx context.Context, f ledger.DeadLetterFilter) ([]ledger.DeadLetter, error) {
	where, args := letterFilter(f)
	var out []ledger.DeadLetter
	err := l.state.read(ctx, func(c *conn) error {
		return c.query(ctx, `SELECT `+letterColumns+` FROM dead_letters WHERE `+where+` ORDER BY id DESC LIMIT ?`,
			func(r row) error {
				out = append(out, scanLetter(r))
				return nil
			}, append(args, pageSize(f.Limit))...)
	})
	return out, explain(err, "list dead letters")
}

// DeadLetterByID implements [ledger.Reader].
func (l *Ledger) DeadLetterByID(ctx context.Context, id int64) (d ledger.DeadLetter, err error) {
	err = l.state.read(ctx, func(c *conn) error {
		found, err := c.one(ctx, `SELECT `+letterColumns+` FROM dead_letters WHERE id = ?`,
			func(r row) { d = scanLetter(r) }, id)
		if err == nil && !found {
			err = ledger.ErrNotFound
		}
		return err
	})
	return d, explain(err, "dead letter %d", id)
}

// lettersAtOnce bounds one transaction over dead letters.
const lettersAtOnce = 2000

// letter is what the actions on dead letters need to know of one.
type letter struct{ id, delivery int64 }

// matching returns the next dead letters after one that the filter takes. With
// keyed, those without a delivery are left out.
func matching(c *conn, f ledger.DeadLetterFilter, after int64, keyed bool, n int) (out []letter, err error) {
	where, args := letterFilter(f)
	if keyed {
		where += " AND delivery_id IS NOT NULL"
	}
	err = c.query(context.Background(), `SELECT id, delivery_id FROM dead_letters WHERE `+where+` AND id > ? ORDER BY id LIMIT ?`,
		func(r row) error {
			out = append(out, letter{r.int(0), r.int(1)})
			return nil
		}, append(args, after, n)...)
	return out, err
}

// RetryDeadLetters implements [ledger.Operator]. Many dead letters take several
// transactions: when one fails, those before it are booked, and the others are
// open still.
func (l *Ledger) RetryDeadLetters(ctx context.Context, f ledger.DeadLetterFilter) (batch int64, n int, err error) {
	var first []letter
	err = l.state.read(ctx, func(c *conn) error {
		first, err = matching(c, f, 0, true, 1)
		return err
	})
	if err != nil || len(first) == 0 {
		return 0, 0, explain(err, "retry dead letters")
	}
	filling := l.filling.begin()
	defer filling.end()
	err = l.events.write(ctx, func(c *conn) error {
		batch, err = c.insert(`INSERT INTO batches (first_seq, last_seq, created_at) VALUES (0, 0, ?)`, l.now())
		filling.add(batch)
		return err
	})
	if err != nil {
		return 0, 0, explain(err, "retry dead letters")
	}
	var moved []movedDelivery
	n, err = l.eachLetter(ctx, f, true, func(c *conn, t *tally, d letter) error {
		m, err := l.rebook(c, t, d, batch)
		moved = append(moved, m)
		return err
	})
	l.leases.moved(moved, batch)
	filling.end()
	l.notify()
	return batch, n, explain(err, "retry dead letters")
}

// rebook lets the delivery wait again, in the batch. It may do so already, for
// a newer version; then it comes into the batch and is due.
func (l *Ledger) rebook(c *conn, t *tally, d letter, batch int64) (movedDelivery, error) {
	ctx := context.Background()
	m := movedDelivery{id: d.delivery}
	var k modelKey
	var old int64
	state := -1
	if _, err := c.one(ctx, `SELECT destination, model, batch, state FROM deliveries WHERE id = ?`,
		func(r row) { k, old, state = modelKey{r.int(0), r.int(1)}, r.int(2), int(r.int(3)) }, d.delivery); err != nil {
		return m, err
	}
	if state == waiting || state == dead {
		since := any(l.now())
		if state == waiting {
			since = nil
		}
		if _, err := c.exec(`UPDATE deliveries SET batch = ?, state = 0, due = 0, attempts = 0, suspect = 0, first_fail = NULL, blocked = NULL,
			since = coalesce(?, since) WHERE id = ?`, batch, since, d.delivery); err != nil {
			return m, err
		}
		t.leave(k, old, state)
		t.come(k, batch, waiting)
	}
	name, err := nameOf(ctx, c, k.destination)
	if err != nil {
		return m, err
	}
	m.destination = name
	_, err = c.exec(`UPDATE dead_letters SET state = ? WHERE id = ?`, letterRetried, d.id)
	return m, err
}

// DiscardDeadLetters implements [ledger.Operator].
func (l *Ledger) DiscardDeadLetters(ctx context.Context, f ledger.DeadLetterFilter) (int, error) {
	n, err := l.eachLetter(ctx, f, false, func(c *conn, _ *tally, d letter) error {
		_, err := c.exec(`UPDATE dead_letters SET state = ? WHERE id = ?`, letterDiscarded, d.id)
		return err
	})
	return n, explain(err, "discard dead letters")
}

// eachLetter acts on all that match, oldest first, a page per transaction.
func (l *Ledger) eachLetter(ctx context.Context, f ledger.DeadLetterFilter, keyed bool, act func(*conn, *tally, letter) error) (n int, err error) {
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
		err := l.state.write(ctx, func(c *conn) (err error) {
			if page, err = matching(c, f, last, keyed, size); err != nil {
				return err
			}
			var t tally
			for _, d := range page {
				if err := act(c, &t, d); err != nil {
					return err
				}
			}
			return t.flush(c)
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
