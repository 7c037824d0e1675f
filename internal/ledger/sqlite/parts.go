package sqlite

import (
	"context"

	"github.com/sluicehq/sluice/internal/ledger"
)

// pausePart is Pause for one object or account of a destination. What waits for
// it is told to wait by who finds it paused; here is only what is to be found.
func (l *Ledger) pausePart(ctx context.Context, p ledger.Pause) error {
	err := l.state.write(ctx, func(c *conn) error {
		_, err := c.exec(`INSERT INTO part_pauses (destination, scope, part, message, since, until) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET message = excluded.message, until = excluded.until,
				since = CASE WHEN excluded.since < until THEN since ELSE excluded.since END
			WHERE excluded.until > until`,
			p.Destination, p.Scope, p.Part, p.Message, p.Since, p.Until)
		return err
	})
	return explain(err, "pause %s %s of %s", p.Scope, p.Part, p.Destination)
}

// endPart is EndPause for a part. What waited for it is due by itself.
func (l *Ledger) endPart(ctx context.Context, seen ledger.Pause) (ended bool, err error) {
	err = l.state.write(ctx, func(c *conn) error {
		n, err := c.exec(`DELETE FROM part_pauses WHERE destination = ? AND scope = ? AND part = ? AND until = ?`,
			seen.Destination, seen.Scope, seen.Part, seen.Until)
		ended = n > 0
		return err
	})
	return ended && err == nil, explain(err, "end the pause of %s %s of %s", seen.Scope, seen.Part, seen.Destination)
}

// resumeParts ends all pauses of a destination's parts. Which deliveries wait
// for them is written down nowhere, so all that wait for a moment are due.
func (l *Ledger) resumeParts(ctx context.Context, c *conn, destination string) error {
	n, err := c.exec(`DELETE FROM part_pauses WHERE destination = ?`, destination)
	if err != nil || n == 0 {
		return err
	}
	id, err := l.names.id(ctx, c, destination)
	if err != nil || id == 0 {
		return err
	}
	_, err = c.exec(`UPDATE deliveries SET due = 0 WHERE destination = ? AND state = 0 AND due > 0`, id)
	return err
}

func readParts(ctx context.Context, c *conn) (out []ledger.Pause, err error) {
	err = c.query(ctx, `SELECT destination, scope, part, message, since, until FROM part_pauses ORDER BY destination, scope, part`,
		func(r row) error {
			out = append(out, ledger.Pause{
				Destination: r.text(0), Scope: r.text(1), Part: r.text(2), Reason: ledger.PauseThrottled,
				Message: r.text(3), Since: r.time(4), Until: r.time(5),
			})
			return nil
		})
	return out, err
}
