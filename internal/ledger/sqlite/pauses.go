package sqlite

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Pause implements [ledger.Operator].
func (l *Ledger) Pause(ctx context.Context, p ledger.Pause) error {
	if p.Since.IsZero() {
		p.Since = l.now()
	}
	if p.Scope != ledger.ScopeDestination {
		return l.pausePart(ctx, p)
	}
	err := l.state.write(ctx, func(c *conn) error {
		old, found, err := readPause(ctx, c, p.Destination)
		if err != nil {
			return err
		}
		p := p
		if found && (old.Until.IsZero() || p.Since.Before(old.Until)) {
			if old.Reason == ledger.PauseOperator && p.Reason != ledger.PauseOperator {
				return nil
			}
			// One pause goes on in the other.
			if old.Since.Before(p.Since) {
				p.Since = old.Since
			}
		} else if found {
			if err := l.endPause(c, old); err != nil {
				return err
			}
		}
		_, err = c.exec(`INSERT INTO pauses (destination, reason, message, since, until) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET reason = excluded.reason, message = excluded.message,
				since = excluded.since, until = excluded.until`,
			p.Destination, p.Reason, p.Message, p.Since, p.Until)
		return err
	})
	return explain(err, "pause %s", p.Destination)
}

// Resume implements [ledger.Operator].
func (l *Ledger) Resume(ctx context.Context, destination string) error {
	err := l.state.write(ctx, func(c *conn) error {
		if err := l.resumeParts(ctx, c, destination); err != nil {
			return err
		}
		p, found, err := readPause(ctx, c, destination)
		if err != nil || !found {
			return err
		}
		return l.endPause(c, p)
	})
	return explain(err, "resume %s", destination)
}

// ExtendPause implements [ledger.Operator].
func (l *Ledger) ExtendPause(ctx context.Context, seen ledger.Pause, until time.Time) (extended bool, err error) {
	err = l.state.write(ctx, func(c *conn) error {
		p, found, err := readPause(ctx, c, seen.Destination)
		if extended = found && p.Reason == seen.Reason && micros(p.Until) == micros(seen.Until); err != nil || !extended {
			return err
		}
		_, err = c.exec(`UPDATE pauses SET until = ? WHERE destination = ?`, until, seen.Destination)
		return err
	})
	return extended && err == nil, explain(err, "extend the pause of %s", seen.Destination)
}

// EndPause implements [ledger.Operator].
func (l *Ledger) EndPause(ctx context.Context, seen ledger.Pause) (ended bool, err error) {
	if seen.Scope != ledger.ScopeDestination {
		return l.endPart(ctx, seen)
	}
	err = l.state.write(ctx, func(c *conn) error {
		ended = false
		p, found, err := readPause(ctx, c, seen.Destination)
		if err != nil || !found || p.Reason != seen.Reason || micros(p.Until) != micros(seen.Until) {
			return err
		}
		ended = true
		return l.endPause(c, p)
	})
	return ended, explain(err, "end the pause of %s", seen.Destination)
}

// endPause deletes a pause and lets the destination's clock stand still for its
// length: the first failures of what waits there move with it.
func (l *Ledger) endPause(c *conn, p ledger.Pause) error {
	end := l.now()
	if !p.Until.IsZero() && p.Until.Before(end) {
		end = p.Until
	}
	length := max(end.Sub(p.Since), 0)
	if _, err := c.exec(`INSERT INTO clocks (destination, paused) VALUES (?, ?)
		ON CONFLICT DO UPDATE SET paused = paused + excluded.paused`, p.Destination, length.Microseconds()); err != nil {
		return err
	}
	_, err := c.exec(`DELETE FROM pauses WHERE destination = ?`, p.Destination)
	return err
}

const pauseColumns = `destination, reason, message, since, until`

func scanPause(r row) ledger.Pause {
	return ledger.Pause{Destination: r.text(0), Reason: r.text(1), Message: r.text(2), Since: time.UnixMicro(r.int(3)).UTC(), Until: r.time(4)}
}

func readPause(ctx context.Context, c *conn, destination string) (p ledger.Pause, found bool, err error) {
	found, err = c.one(ctx, `SELECT `+pauseColumns+` FROM pauses WHERE destination = ?`,
		func(r row) { p = scanPause(r) }, destination)
	return p, found, err
}

// Pauses implements [ledger.Operator].
func (l *Ledger) Pauses(ctx context.Context) ([]ledger.Pause, error) {
	var out []ledger.Pause
	err := l.state.read(ctx, func(c *conn) (err error) {
		out, err = readPauses(ctx, c)
		return err
	})
	return out, explain(err, "list pauses")
}

func readPauses(ctx context.Context, c *conn) (out []ledger.Pause, err error) {
	err = c.query(ctx, `SELECT `+pauseColumns+` FROM pauses ORDER BY destination`, func(r row) error {
		out = append(out, scanPause(r))
		return nil
	})
	if err != nil {
		return nil, err
	}
	parts, err := readParts(ctx, c)
	return append(out, parts...), err
}
