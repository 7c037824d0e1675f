package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// changePause runs decide with the destination's pause, while nobody else changes
// it: nil if there is none. decide queues what is to be done.
func (l *Ledger) changePause(ctx context.Context, destination string, decide func(b *pgx.Batch, old *ledger.Pause)) error {
	return l.write(ctx, func(ctx context.Context, t *tx) error {
		var found []ledger.Pause
		b := t.batch()
		// There may be no row to lock.
		b.Queue(`SELECT pg_advisory_xact_lock($1)`, lockNumber("pause", destination))
		query(b, &found, scanPause, `SELECT `+pauseColumns+` FROM pauses WHERE destination = $1`, text(destination))
		if err := t.send(ctx, b); err != nil {
			return err
		}
		b = t.batch()
		if len(found) > 0 {
			decide(b, &found[0])
		} else {
			decide(b, nil)
		}
		return t.commit(ctx, b)
	})
}

// Pause implements [ledger.Operator].
func (l *Ledger) Pause(ctx context.Context, p ledger.Pause) error {
	if p.Since.IsZero() {
		p.Since = l.now()
	}
	if p.Scope != ledger.ScopeDestination {
		return l.pausePart(ctx, p)
	}
	err := l.changePause(ctx, p.Destination, func(b *pgx.Batch, old *ledger.Pause) {
		p := p
		switch {
		case old == nil:
		case !old.Until.IsZero() && !p.Since.Before(old.Until):
			l.endPause(b, *old)
		case old.Reason == ledger.PauseOperator && p.Reason != ledger.PauseOperator:
			return
		case old.Since.Before(p.Since):
			p.Since = old.Since // one pause goes on in the other
		}
		b.Queue(`INSERT INTO pauses (destination, reason, message, since, until) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (destination) DO UPDATE SET reason = excluded.reason, message = excluded.message,
				since = excluded.since, until = excluded.until`,
			text(p.Destination), p.Reason, text(p.Message), p.Since.UTC(), nullable(p.Until))
	})
	return explain(err, "pause %s", p.Destination)
}

// Resume implements [ledger.Operator].
func (l *Ledger) Resume(ctx context.Context, destination string) error {
	err := l.changePause(ctx, destination, func(b *pgx.Batch, old *ledger.Pause) {
		resumeParts(b, destination)
		if old != nil {
			l.endPause(b, *old)
		}
	})
	return explain(err, "resume %s", destination)
}

// ExtendPause implements [ledger.Operator].
func (l *Ledger) ExtendPause(ctx context.Context, seen ledger.Pause, until time.Time) (extended bool, err error) {
	err = l.changePause(ctx, seen.Destination, func(b *pgx.Batch, old *ledger.Pause) {
		if extended = isPause(old, seen); extended {
			b.Queue(`UPDATE pauses SET until = $2 WHERE destination = $1`, text(seen.Destination), nullable(until))
		}
	})
	return extended && err == nil, explain(err, "extend the pause of %s", seen.Destination)
}

func isPause(p *ledger.Pause, seen ledger.Pause) bool {
	return p != nil && p.Reason == seen.Reason && p.Until.UnixMicro() == seen.Until.UnixMicro()
}

// EndPause implements [ledger.Operator].
func (l *Ledger) EndPause(ctx context.Context, seen ledger.Pause) (ended bool, err error) {
	if seen.Scope != ledger.ScopeDestination {
		return l.endPart(ctx, seen)
	}
	err = l.changePause(ctx, seen.Destination, func(b *pgx.Batch, old *ledger.Pause) {
		if ended = isPause(old, seen); ended {
			l.endPause(b, *old)
		}
	})
	return ended && err == nil, explain(err, "end the pause of %s", seen.Destination)
}

// endPause deletes a pause and lets the destination's clock stand still for its
// length: the first failures of what waits there move with it.
func (l *Ledger) endPause(b *pgx.Batch, p ledger.Pause) {
	end := l.now()
	if !p.Until.IsZero() && p.Until.Before(end) {
		end = p.Until
	}
	b.Queue(`INSERT INTO clocks AS c (destination, paused) VALUES ($1, $2)
		ON CONFLICT (destination) DO UPDATE SET paused = c.paused + excluded.paused`, text(p.Destination), max(end.Sub(p.Since), 0))
	b.Queue(`DELETE FROM pauses WHERE destination = $1`, text(p.Destination))
}

const pauseColumns = `destination, reason, message, since, until`

func scanPause(r pgx.CollectableRow) (p ledger.Pause, err error) {
	var until *time.Time
	err = r.Scan(&p.Destination, &p.Reason, &p.Message, &p.Since, &until)
	p.Since, p.Until = p.Since.UTC(), orZero(until)
	return p, err
}

func queuePauses(b *pgx.Batch, out *[]ledger.Pause) {
	query(b, out, scanPause, `SELECT `+pauseColumns+` FROM pauses ORDER BY destination COLLATE "C"`)
	queueParts(b, out)
}

// Pauses implements [ledger.Operator].
func (l *Ledger) Pauses(ctx context.Context) ([]ledger.Pause, error) {
	var out []ledger.Pause
	b := new(pgx.Batch)
	queuePauses(b, &out)
	return out, explain(l.read(ctx, b), "list pauses")
}
