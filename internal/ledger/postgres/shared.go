package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

var _ ledger.Shared = (*Ledger)(nil)

// Lead implements [ledger.Shared]. A row with a time rather than a lock: one
// that stands still loses it.
func (l *Ledger) Lead(ctx context.Context, task string, hold time.Duration) (bool, error) {
	tag, err := l.pool.Exec(ctx, `INSERT INTO tasks AS t (name, instance, until) VALUES ($1, $2, clock_timestamp() + $3)
		ON CONFLICT (name) DO UPDATE SET instance = excluded.instance, until = excluded.until
		WHERE t.until < clock_timestamp() OR t.instance = excluded.instance`, task, l.instance, hold)
	if err != nil {
		return false, explain(err, "take over a task")
	}
	return tag.RowsAffected() == 1, nil
}

// Pace implements [ledger.Shared].
func (l *Ledger) Pace(ctx context.Context, destination string, perSecond float64, patience time.Duration) (wait time.Duration, ok bool, err error) {
	step := time.Duration(float64(time.Second) / perSecond)
	err = l.pool.QueryRow(ctx, `INSERT INTO paces AS p (destination, next) VALUES ($1, clock_timestamp() + $2)
		ON CONFLICT (destination) DO UPDATE SET next = greatest(p.next, clock_timestamp()) + $2
		WHERE p.next <= clock_timestamp() + $3
		RETURNING next - $2 - clock_timestamp()`, destination, step, patience).Scan(&wait)
	switch {
	case err == nil:
		return max(0, wait), true, nil
	case !errors.Is(err, pgx.ErrNoRows):
		return 0, false, explain(err, "keep the rate of a destination")
	}
	err = l.pool.QueryRow(ctx, `SELECT next - clock_timestamp() FROM paces WHERE destination = $1`, destination).Scan(&wait)
	return max(0, wait), false, explain(err, "keep the rate of a destination")
}

// Progress implements [ledger.Shared].
func (l *Ledger) Progress(ctx context.Context, batch int64) (applied bool, waiting map[string]int, err error) {
	rows, err := l.pool.Query(ctx, `SELECT b.applied, coalesce(n.name, ''), coalesce(sum(c.waiting), 0)::bigint
		FROM batches b LEFT JOIN batch_counts c ON c.batch = b.id LEFT JOIN names n ON n.id = c.destination
		WHERE b.id = $1 GROUP BY 1, 2`, batch)
	if err != nil {
		return false, nil, explain(err, "look at a batch")
	}
	waiting = make(map[string]int)
	var name string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&applied, &name, &n}, func() error {
		if n > 0 {
			waiting[name] = n
		}
		return nil
	})
	return applied, waiting, explain(err, "look at a batch")
}
