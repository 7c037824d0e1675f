package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// acceptance is what the events writer remembers. Only its goroutine uses it.
type acceptance struct {
	next int64 // sequence number of the next event; 0 = not known
}

func (a *acceptance) forget() { a.next = 0 }

func (a *acceptance) load(c *conn) error {
	if a.next > 0 {
		return nil
	}
	_, err := c.one(context.Background(),
		`SELECT max(claimed_seq, (SELECT coalesce(max(seq), 0) FROM events)) + 1 FROM cursor`,
		func(r row) { a.next = r.int(0) })
	return err
}

// Append implements [ledger.Appender].
func (l *Ledger) Append(ctx context.Context, ev event.Event) (ledger.Appended, error) {
	if ev.ReceivedAt.IsZero() {
		ev.ReceivedAt = l.now()
	}
	var out ledger.Appended
	err := l.events.do(ctx, &job{size: len(ev.Body), run: func(c *conn) (err error) {
		out = ledger.Appended{}
		if err := l.accept.load(c); err != nil {
			return err
		}
		if ev.HashedID {
			out, err = l.appendHashed(c, &ev)
		} else {
			out, err = l.appendOnce(c, &ev, ev.ID)
		}
		return err
	}})
	if err != nil {
		return ledger.Appended{}, explain(err, "append event")
	}
	if !out.Duplicate {
		l.notify()
	}
	return out, nil
}

// appendOnce stores the event under the id unless one is stored under it.
func (l *Ledger) appendOnce(c *conn, ev *event.Event, id string) (ledger.Appended, error) {
	var hash any
	if ev.HashedID {
		hash = ev.ID
	}
	n, err := c.exec(`INSERT INTO events (seq, source, event_id, hash, kind, format, created_at, received_at,
		company_id, integration, model, operation, sync_id, job_id, status, sync_type, records, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, event_id) DO NOTHING`,
		l.accept.next, ev.Source, id, hash, string(ev.Kind), ev.Format, ev.CreatedAt, ev.ReceivedAt.UnixMicro(),
		ev.CompanyID, ev.Integration, ev.Model, string(ev.Operation), ev.SyncID, ev.JobID, ev.Status, ev.SyncType,
		ev.Records, ev.Body)
	if err != nil {
		return ledger.Appended{}, err
	}
	if n == 1 {
		l.accept.next++
		return ledger.Appended{Seq: l.accept.next - 1, EventID: id}, nil
	}
	out := ledger.Appended{EventID: id, Duplicate: true}
	found, err := c.one(context.Background(), `SELECT seq FROM events WHERE source = ? AND event_id = ?`,
		func(r row) { out.Seq = r.int(0) }, ev.Source, id)
	if err == nil && !found {
		err = fmt.Errorf("event is neither new nor stored: stop sluice and run sluice doctor")
	}
	return out, err
}

// appendHashed applies the window: an equal body is a duplicate only of one
// that came shortly before it.
func (l *Ledger) appendHashed(c *conn, ev *event.Event) (ledger.Appended, error) {
	latest := ledger.Appended{Duplicate: true}
	var received time.Time
	found, err := c.one(context.Background(),
		`SELECT seq, event_id, received_at FROM events WHERE source = ? AND hash = ? ORDER BY seq DESC LIMIT 1`,
		func(r row) { latest.Seq, latest.EventID, received = r.int(0), r.text(1), r.time(2) }, ev.Source, ev.ID)
	if err != nil {
		return ledger.Appended{}, err
	}
	if !found {
		return l.appendOnce(c, ev, ev.ID)
	}
	if ev.ReceivedAt.Sub(received).Abs() <= l.window {
		return latest, nil
	}
	// Two of the same millisecond are within the window; only a clock that was
	// set back can find the id taken.
	for ms := ev.ReceivedAt.UnixMilli(); ; ms++ {
		out, err := l.appendOnce(c, ev, fmt.Sprintf("%s-%d", ev.ID, ms))
		if err != nil || !out.Duplicate {
			return out, err
		}
	}
}

const eventColumns = `seq, source, event_id, hash IS NOT NULL, kind, format, created_at, received_at,
	company_id, integration, model, operation, sync_id, job_id, status, sync_type, records`

// scanEvent reads eventColumns; the body, if selected, is column 17.
func scanEvent(r row) event.Event {
	e := event.Event{
		Seq: r.int(0), Source: r.text(1), ID: r.text(2), HashedID: r.int(3) != 0,
		Kind: event.Kind(r.text(4)), Format: r.text(5), CreatedAt: r.time(6), ReceivedAt: r.time(7),
		CompanyID: r.text(8), Integration: r.text(9), Model: r.text(10), Operation: event.Operation(r.text(11)),
		SyncID: r.text(12), JobID: r.text(13), Status: r.text(14), SyncType: r.text(15), Records: int(r.int(16)),
	}
	if len(r) > 17 {
		e.Body = r.blob(17)
	}
	return e
}

// Events implements [ledger.Batches].
func (l *Ledger) Events(ctx context.Context, batch, afterSeq int64, maxBytes int) ([]event.Event, error) {
	var out []event.Event
	err := l.events.read(ctx, func(c *conn) error {
		var first, last int64
		found, err := c.one(ctx, `SELECT first_seq, last_seq FROM batches WHERE id = ?`,
			func(r row) { first, last = r.int(0), r.int(1) }, batch)
		if err != nil {
			return err
		}
		if !found {
			return ledger.ErrNotFound
		}
		bytes := 0
		return c.query(ctx, `SELECT `+eventColumns+`, body FROM events WHERE seq >= ? AND seq <= ? AND seq > 0 ORDER BY seq`,
			func(r row) error {
				e := scanEvent(r)
				if bytes += len(e.Body); bytes > maxBytes && len(out) > 0 {
					return errEnough
				}
				out = append(out, e)
				return nil
			}, max(first, afterSeq+1), last)
	})
	return out, explain(err, "events of batch %d", batch)
}
