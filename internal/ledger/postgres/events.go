package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
)

const eventColumns = `e.seq, e.source, e.event_id, e.hash IS NOT NULL, e.kind, e.format, e.created_at, e.received_at,
	e.company_id, e.integration, e.model, e.operation, e.sync_id, e.job_id, e.status, e.sync_type, e.records`

// scanEvent reads eventColumns and what the query has after them.
func scanEvent(r pgx.Row, e *event.Event, more ...any) error {
	var created *time.Time
	err := r.Scan(append([]any{
		&e.Seq, &e.Source, &e.ID, &e.HashedID, &e.Kind, &e.Format, &created, &e.ReceivedAt,
		&e.CompanyID, &e.Integration, &e.Model, &e.Operation, &e.SyncID, &e.JobID, &e.Status, &e.SyncType, &e.Records,
	}, more...)...)
	e.CreatedAt, e.ReceivedAt = orZero(created), e.ReceivedAt.UTC()
	return err
}

// Events implements [ledger.Batches]. Lengths of bodies are known without
// reading them, so only the bodies that are returned are.
func (l *Ledger) Events(ctx context.Context, batch, afterSeq int64, maxBytes int) ([]event.Event, error) {
	var out []event.Event
	found := false
	b := new(pgx.Batch)
	one(b, func(r pgx.Row) error { return r.Scan(&found) }, `SELECT true FROM batches WHERE id = $1`, batch)
	query(b, &out, func(r pgx.CollectableRow) (e event.Event, err error) {
		return e, scanEvent(r, &e, &e.Body)
	}, `SELECT `+eventColumns+`, e.body FROM (
			SELECT s.seq, s.at, sum(octet_length(s.body)) OVER (ORDER BY s.seq) AS bytes
			FROM (SELECT e.seq, e.body, row_number() OVER (ORDER BY e.seq) AS at
				FROM batches b CROSS JOIN LATERAL unnest(b.seqs) AS u(seq) JOIN events e ON e.seq = u.seq
				WHERE b.id = $1 AND e.seq > $2) s
		) p JOIN events e ON e.seq = p.seq
		WHERE p.at = 1 OR p.bytes <= $3 ORDER BY e.seq`, batch, afterSeq, maxBytes)
	err := l.read(ctx, b)
	if err == nil && !found {
		err = errNotFound
	}
	return out, explain(err, "events of batch %d", batch)
}
