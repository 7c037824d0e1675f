package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

var errNotFound = ledger.ErrNotFound

// claimEvents makes a batch of what arrived. Rows that another dispatcher is
// taking are left to it. What is over the limit stays where it was, in its order.
var claimEvents = `WITH head AS MATERIALIZED (
	SELECT id, n, seqs FROM arrivals ORDER BY id LIMIT least($1::int, 200) FOR UPDATE SKIP LOCKED
), placed AS (
	SELECT id, n, seqs, coalesce(sum(n) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::int AS before
	FROM head
), parted AS (
	SELECT id, seqs[:$1::int - before] AS mine, seqs[$1::int - before + 1:] AS rest FROM placed WHERE before < $1::int
), gone AS (
	DELETE FROM arrivals a USING parted p WHERE a.id = p.id AND cardinality(p.rest) = 0
), shortened AS (
	UPDATE arrivals a SET seqs = p.rest, n = cardinality(p.rest) FROM parted p WHERE a.id = p.id AND cardinality(p.rest) > 0
), taken AS (
	SELECT array_agg(seq ORDER BY seq) AS seqs FROM parted, unnest(mine) AS u(seq) HAVING count(*) > 0
), made AS (
	INSERT INTO batches (first_seq, last_seq, seqs, created_at)
	SELECT seqs[1], seqs[cardinality(seqs)], seqs, ` + dbNow("$2") + ` FROM taken
	RETURNING id
)
SELECT made.id, taken.seqs, (SELECT sum(n) FROM head) > $1::int FROM made, taken`

// ClaimBatch implements [ledger.Batches].
func (l *Ledger) ClaimBatch(ctx context.Context, max int) (ledger.Batch, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Batch{}, false, explain(err, "claim batch")
	}
	// The claim is made or not, whatever becomes of the caller.
	ctx = context.WithoutCancel(ctx)
	var b ledger.Batch
	var seqs []int64
	more := false
	claim := new(pgx.Batch)
	one(claim, func(r pgx.Row) error { return r.Scan(&b.ID, &seqs, &more) }, claimEvents, max, l.clock())
	if err := l.read(ctx, claim); err != nil || b.ID == 0 {
		return ledger.Batch{}, false, explain(err, "claim batch")
	}
	b.FirstSeq, b.LastSeq = seqs[0], seqs[len(seqs)-1]
	if more {
		// Those who looked meanwhile found the rest locked.
		l.news.tell()
	}
	var refs []refOf
	load := new(pgx.Batch)
	queueRefs(load, &refs, []int64{b.ID})
	if err := l.read(ctx, load); err != nil {
		return ledger.Batch{}, false, explain(err, "claim batch %d", b.ID)
	}
	for _, r := range refs {
		b.Events = append(b.Events, r.EventRef)
	}
	return b, true, nil
}

type refOf struct {
	ledger.EventRef
	batch int64
}

func queueRefs(b *pgx.Batch, out *[]refOf, batches []int64) {
	query(b, out, func(r pgx.CollectableRow) (ref refOf, err error) {
		err = r.Scan(&ref.batch, &ref.Seq, &ref.Source, &ref.ID, &ref.Kind, &ref.CompanyID, &ref.Model, &ref.Operation, &ref.SyncID)
		return ref, err
	}, `SELECT b.id, e.seq, e.source, e.event_id, e.kind, e.company_id, e.model, e.operation, e.sync_id
		FROM batches b CROSS JOIN LATERAL unnest(b.seqs) AS u(seq) JOIN events e ON e.seq = u.seq
		WHERE b.id = ANY($1) ORDER BY b.id, e.seq`, batches)
}

const batchColumns = `b.id, b.first_seq, b.last_seq, b.applied OR b.first_seq = 0`

func scanBatch(r pgx.CollectableRow) (b ledger.Batch, err error) {
	return b, r.Scan(&b.ID, &b.FirstSeq, &b.LastSeq, &b.Applied)
}

// loadRefs fills in the events of the batches.
func (l *Ledger) loadRefs(ctx context.Context, all []ledger.Batch) error {
	at := make(map[int64]*ledger.Batch, len(all))
	var ids []int64
	for i := range all {
		at[all[i].ID] = &all[i]
		ids = append(ids, all[i].ID)
	}
	var refs []refOf
	b := new(pgx.Batch)
	queueRefs(b, &refs, ids)
	if len(ids) == 0 {
		return nil
	}
	if err := l.read(ctx, b); err != nil {
		return err
	}
	for _, r := range refs {
		at[r.batch].Events = append(at[r.batch].Events, r.EventRef)
	}
	return nil
}

// BatchByID implements [ledger.Batches].
func (l *Ledger) BatchByID(ctx context.Context, id int64) (ledger.Batch, error) {
	var found []ledger.Batch
	b := new(pgx.Batch)
	query(b, &found, scanBatch, `SELECT `+batchColumns+` FROM batches b WHERE b.id = $1`, id)
	err := l.read(ctx, b)
	if err == nil && len(found) == 0 {
		err = errNotFound
	}
	if err == nil {
		err = l.loadRefs(ctx, found)
	}
	if err != nil {
		return ledger.Batch{}, explain(err, "batch %d", id)
	}
	return found[0], nil
}

// donePage is how many batches Undone looks at in one go.
const donePage = 500

// waits is whether deliveries of batch b wait.
const waits = `EXISTS (SELECT 1 FROM batch_counts c WHERE c.batch = b.id AND c.waiting > 0)`

// Undone implements [ledger.Batches].
func (l *Ledger) Undone(ctx context.Context, afterID int64, limit int) ([]ledger.Batch, error) {
	if err := l.closeBatches(ctx, afterID); err != nil {
		return nil, explain(err, "list undone batches")
	}
	var out []ledger.Batch
	b := new(pgx.Batch)
	query(b, &out, scanBatch, `SELECT `+batchColumns+` FROM batches b
		WHERE NOT b.done AND b.id > $1 AND (NOT (b.applied OR b.first_seq = 0) OR `+waits+`) ORDER BY b.id LIMIT $2`, afterID, limit)
	err := l.read(ctx, b)
	if err == nil {
		err = l.loadRefs(ctx, out)
	}
	if err != nil {
		return nil, explain(err, "list undone batches")
	}
	return out, nil
}

// closeBatches marks as done what has nothing left to do. Whoever lets
// deliveries wait in a batch locks the batch first, so the second statement sees
// them: a batch that is done is done for good.
func (l *Ledger) closeBatches(ctx context.Context, afterID int64) error {
	for {
		var page []int64
		look := new(pgx.Batch)
		query(look, &page, pgx.RowTo[int64], `SELECT b.id FROM batches b
			WHERE NOT b.done AND b.id > $1 AND (b.applied OR b.first_seq = 0) AND NOT `+waits+` ORDER BY b.id LIMIT $2`, afterID, donePage)
		if err := l.read(ctx, look); err != nil || len(page) == 0 {
			return err
		}
		err := l.write(ctx, func(ctx context.Context, t *tx) error {
			b := t.batch()
			b.Queue(`SELECT 1 FROM batches WHERE id = ANY($1) ORDER BY id FOR UPDATE`, page)
			b.Queue(`UPDATE batches b SET done = true WHERE id = ANY($1) AND NOT `+waits, page)
			return t.commit(ctx, b)
		})
		if err != nil || len(page) < donePage {
			return err
		}
		afterID = page[len(page)-1]
	}
}

// Pending implements [ledger.Batches].
func (l *Ledger) Pending(ctx context.Context, batch int64) (map[string]int, error) {
	out := make(map[string]int)
	b := new(pgx.Batch)
	b.Queue(`SELECT n.name, sum(b.waiting)::bigint FROM batch_counts b JOIN names n ON n.id = b.destination
		WHERE b.batch = $1 GROUP BY n.name HAVING sum(b.waiting) > 0`, batch).Query(func(rows pgx.Rows) error {
		var name string
		var n int
		_, err := pgx.ForEachRow(rows, []any{&name, &n}, func() error {
			out[name] = n
			return nil
		})
		return err
	})
	return out, explain(l.read(ctx, b), "pending deliveries of batch %d", batch)
}

// Dead implements [ledger.Batches].
func (l *Ledger) Dead(ctx context.Context, batch int64, destination string) (n int, err error) {
	b := new(pgx.Batch)
	one(b, func(r pgx.Row) error { return r.Scan(&n) }, `SELECT coalesce(sum(b.dead), 0)::bigint FROM batch_counts b
		JOIN names n ON n.id = b.destination WHERE b.batch = $1 AND n.name = $2`, batch, text(destination))
	return n, explain(l.read(ctx, b), "dead letters of batch %d", batch)
}
