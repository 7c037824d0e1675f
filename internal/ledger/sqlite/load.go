package sqlite

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// loadAtOnce bounds what is read in vain when MaxBytes ends a claim early.
const loadAtOnce = 100

// load reads the deliveries with their current contents, until those exceed
// MaxBytes.
func (l *Ledger) load(ctx context.Context, in ledger.ClaimRequest, ids []int64, out *ledger.Claim) error {
	ld := loader{l: l, in: in, out: out, events: make(map[int64]*event.Event), missing: make(map[int64]lease)}
	for len(ids) > 0 && !ld.full {
		n := min(len(ids), loadAtOnce)
		if err := ld.page(ctx, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	out.More = out.More || ld.full
	return l.giveUpMissing(ctx, out.Token, ld.missing)
}

// giveUpMissing makes dead letters of deliveries whose event is not there: the
// two files come from backups of different moments. They would be in everybody's
// way, and can be retried when the event is there again.
func (l *Ledger) giveUpMissing(ctx context.Context, token ledger.ClaimToken, missing map[int64]lease) error {
	if len(missing) == 0 {
		return nil
	}
	l.log.Error("events with open deliveries are missing in the ledger: restore events.db and retry their dead letters",
		"destination", token.Destination, "deliveries", len(missing))
	var outcomes []ledger.Outcome
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		outcomes = append(outcomes, ledger.Outcome{
			DeliveryID: id, Result: ledger.OutcomeDead, ErrorKind: "unreadable", Code: "event_missing",
			Message: "the event is not in the ledger any more: restore events.db and retry",
		})
	}
	return l.settle(ctx, token, missing, outcomes)
}

type loader struct {
	l      *Ledger
	in     ledger.ClaimRequest
	out    *ledger.Claim
	events map[int64]*event.Event // one event may have many changes
	bytes  int                    // of what is delivered
	loaded int                    // of events
	full   bool

	missing map[int64]lease // deliveries whose event is not there
}

// stored is a row of a delivery with what it refers to.
type stored struct {
	ledger.Delivery
	event int64
	state []byte
}

func (ld *loader) page(ctx context.Context, ids []int64) error {
	rows := make([]stored, 0, len(ids))
	err := ld.l.state.read(ctx, func(c *conn) (err error) {
		rows, err = ld.l.readDeliveries(ctx, c, ld.in.Destination, ids)
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range rows {
		size := len(s.state)
		if s.event != 0 {
			e, err := ld.event(ctx, s.event)
			if err != nil {
				return err
			}
			if e == nil {
				ld.missing[s.ID] = lease{event: s.event, version: s.Wanted}
				continue
			}
			s.Event, size = e, len(e.Body)
			if s.Kind == ledger.DeliverChange {
				size /= max(e.Records, 1)
			}
		}
		ld.bytes += size
		// A claim may want one change of each of many large events.
		tooMuch := ld.bytes > ld.in.MaxBytes || ld.loaded > 2*ld.in.MaxBytes
		if ld.in.MaxBytes > 0 && tooMuch && len(ld.out.Items) > 0 {
			ld.full = true
			return nil
		}
		if s.Record != nil {
			if err := s.Record.DecodeState(s.state); err != nil {
				return fmt.Errorf("delivery %d: %w", s.ID, err)
			}
		}
		ld.out.Items = append(ld.out.Items, s.Delivery)
	}
	return nil
}

// readDeliveries keeps the order of the ids.
func (l *Ledger) readDeliveries(ctx context.Context, c *conn, destination string, ids []int64) ([]stored, error) {
	now := l.now()
	var paused int64
	if _, err := c.one(ctx, `SELECT paused FROM clocks WHERE destination = ?`, func(r row) { paused = r.int(0) }, destination); err != nil {
		return nil, err
	}
	out := make([]stored, 0, len(ids))
	err := c.query(ctx, `SELECT d.id, d.batch, d.route, d.revision, d.wanted, d.delivered, d.attempts, d.suspect, d.first_fail,
			d.event_seq, d.idx, r.scope, r.platform_id, r.version, r.state, d.blocked, d.children
		FROM json_each(?) j CROSS JOIN deliveries d ON d.id = j.value LEFT JOIN records r ON r.id = d.record_id`,
		func(r row) (err error) {
			s := stored{Delivery: ledger.Delivery{
				ID: r.int(0), Destination: destination, Batch: r.int(1), Wanted: r.int(4), Delivered: r.int(5),
				Attempts: int(r.int(6)), Suspect: int(r.int(7)),
			}}
			if s.Route, err = l.names.name(ctx, c, r.int(2)); err != nil {
				return err
			}
			if s.Revision, err = l.names.name(ctx, c, r.int(3)); err != nil {
				return err
			}
			if !r.null(8) {
				s.FirstFail = firstFail(r.int(8), paused, now)
			}
			if !r.null(15) {
				s.Blocked = firstFail(r.int(15), paused, now)
			}
			if s.Children, err = decodeChildren(r, 16); err != nil {
				return fmt.Errorf("delivery %d: %w", s.ID, err)
			}
			if !r.null(9) {
				s.Kind, s.event, s.Index = appendKind(r.int(10)), r.int(9), int(r.int(10))
			} else {
				s.Kind = ledger.DeliverRecord
				s.Record, s.state = &event.Record{Version: r.int(13)}, r.blob(14)
				s.Record.Key, err = l.names.key(ctx, c, r.int(11), r.text(12))
			}
			out = append(out, s)
			return err
		}, idList(ids))
	return out, err
}

// firstFail moves the stored moment by the pauses since. One that began before
// the failure counts whole, so it may come out a little late.
func firstFail(stored, paused int64, now time.Time) time.Time {
	t := time.UnixMicro(stored + paused).UTC()
	if t.After(now) {
		return now.UTC()
	}
	return t
}

func appendKind(index int64) ledger.DeliveryKind {
	if index < 0 {
		return ledger.DeliverEvent
	}
	return ledger.DeliverChange
}

// event returns nil if there is none.
func (ld *loader) event(ctx context.Context, seq int64) (*event.Event, error) {
	if e, ok := ld.events[seq]; ok {
		return e, nil
	}
	var e *event.Event
	err := ld.l.events.read(ctx, func(c *conn) error {
		_, err := c.one(ctx, `SELECT `+eventColumns+`, body FROM events WHERE seq = ?`, func(r row) {
			v := scanEvent(r)
			e = &v
		}, seq)
		return err
	})
	if err == nil {
		ld.events[seq] = e
	}
	if e != nil {
		ld.loaded += len(e.Body)
	}
	return e, err
}

// idList is a JSON array for json_each.
func idList(ids []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(']')
	return b.String()
}

// keep gives back what was leased and is not in the claim, and notes what the
// rest was claimed at.
func (t *leaseTable) keep(c *claim, out *ledger.Claim) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := make(map[int64]bool, len(out.Items))
	for i := range out.Items {
		d := &out.Items[i]
		h := t.held[d.ID]
		if h == nil || h.claim != c {
			continue
		}
		kept[d.ID] = true
		if d.Record != nil {
			h.version = d.Record.Version
		} else {
			h.version, h.event = d.Wanted, d.Event.Seq
		}
		h.batch = d.Batch
	}
	var ids []int64
	for _, id := range c.ids {
		if kept[id] {
			ids = append(ids, id)
		} else {
			t.drop(c, []int64{id})
		}
	}
	c.ids = ids
}

// rest counts what else of the own batch is waiting.
func (l *Ledger) rest(ctx context.Context, t *leaseTable, in ledger.ClaimRequest, destination int64, own *claim, out *ledger.Claim) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := l.now()
	var waiting, later int
	var next time.Time
	err := l.state.read(ctx, func(c *conn) error {
		if _, err := c.one(ctx, `SELECT sum(waiting) FROM batch_counts WHERE batch = ? AND destination = ?`,
			func(r row) { waiting = int(r.int(0)) }, in.Batch, destination); err != nil {
			return err
		}
		_, err := c.one(ctx, `SELECT count(*), min(due) FROM deliveries INDEXED BY deliveries_due_batch
			WHERE destination = ? AND batch = ? AND state = 0 AND due > 0`,
			func(r row) { later, next = int(r.int(0)), r.time(1) }, destination, in.Batch)
		return err
	})
	if err != nil {
		return err
	}
	mine := 0
	for id, h := range t.held {
		switch {
		case h.batch != in.Batch:
		case own != nil && h.claim == own:
			mine++
		case t.taken(id, now):
			out.OwnLeased++
		}
	}
	out.OwnLeft = max(waiting-mine, 0)
	out.OwnLeased = min(out.OwnLeased, out.OwnLeft)
	// What waits for its moment is held by nobody. If that is all there is
	// besides what others hold, the first such moment is the next.
	if free := out.OwnLeft - out.OwnLeased; free > 0 && later >= free && next.After(now) {
		out.NextDue = next
	}
	return nil
}
