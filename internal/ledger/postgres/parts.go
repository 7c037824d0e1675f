package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// pausePart is Pause for one object or account of a destination. What waits for
// it is told to wait by who finds it paused; here is only what is to be found.
func (l *Ledger) pausePart(ctx context.Context, p ledger.Pause) error {
	_, err := l.pool.Exec(ctx, `INSERT INTO part_pauses AS p (destination, scope, part, message, since, until) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (destination, scope, part) DO UPDATE SET message = excluded.message, until = excluded.until,
			since = CASE WHEN excluded.since < p.until THEN p.since ELSE excluded.since END
		WHERE excluded.until > p.until`,
		text(p.Destination), p.Scope, text(p.Part), text(p.Message), p.Since.UTC(), p.Until.UTC())
	return explain(err, "pause %s %s of %s", p.Scope, p.Part, p.Destination)
}

// endPart is EndPause for a part. What waited for it is due by itself.
func (l *Ledger) endPart(ctx context.Context, seen ledger.Pause) (ended bool, err error) {
	tag, err := l.pool.Exec(ctx, `DELETE FROM part_pauses WHERE destination = $1 AND scope = $2 AND part = $3 AND until = $4`,
		text(seen.Destination), seen.Scope, text(seen.Part), seen.Until.UTC())
	return tag.RowsAffected() > 0, explain(err, "end the pause of %s %s of %s", seen.Scope, seen.Part, seen.Destination)
}

// resumeParts ends all pauses of a destination's parts. Which deliveries wait
// for them is written down nowhere, so all that wait for a moment are due.
func resumeParts(b *pgx.Batch, destination string) {
	b.Queue(`UPDATE deliveries SET due = NULL WHERE state = 0 AND due IS NOT NULL
			AND destination = (SELECT id FROM names WHERE name = $1) AND EXISTS (SELECT 1 FROM part_pauses WHERE destination = $1)`,
		text(destination))
	b.Queue(`DELETE FROM part_pauses WHERE destination = $1`, text(destination))
}

func queueParts(b *pgx.Batch, out *[]ledger.Pause) {
	b.Queue(`SELECT destination, scope, part, message, since, until FROM part_pauses
		ORDER BY destination COLLATE "C", scope, part COLLATE "C"`).Query(func(rows pgx.Rows) error {
		var p ledger.Pause
		_, err := pgx.ForEachRow(rows, []any{&p.Destination, &p.Scope, &p.Part, &p.Message, &p.Since, &p.Until}, func() error {
			p.Reason, p.Since, p.Until = ledger.PauseThrottled, p.Since.UTC(), p.Until.UTC()
			*out = append(*out, p)
			return nil
		})
		return err
	})
}
