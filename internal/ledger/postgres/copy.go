package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
)

// ErrNotEmpty is returned by Copy for a ledger that holds something.
var ErrNotEmpty = errors.New("the ledger in PostgreSQL is not empty: name another ledger.postgres.schema, or drop this one")

// copied are the tables in which nothing may be before a copy.
const copied = `events, arrivals, batches, names, scopes, records, deliveries, parents, unrouted, leases, dead_letters, batch_counts, delivery_counts, model_counts, pauses, part_pauses, clocks`

// Copy fills an empty ledger with everything that another one holds, in one
// transaction: it is there whole or not at all. It compares what arrived with
// what was read, and returns how many rows there are by table.
func Copy(ctx context.Context, o Options, from ledger.Exporter) (map[string]int64, error) {
	l, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	c, err := l.acquire(ctx)
	if err != nil {
		return nil, explain(err, "copy")
	}
	defer c.Release()
	counts := make(map[string]int64)
	err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		// A source on a slow disk may keep the transaction waiting.
		if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0; LOCK TABLE `+copied+` IN EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := mustBeEmpty(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `CREATE TEMPORARY TABLE progress (id bigint, applied boolean, counted_seq bigint, counted_index bigint, revision bigint) ON COMMIT DROP`); err != nil {
			return err
		}
		for _, t := range ledger.Tables {
			n, err := copyTable(ctx, tx, t, from)
			if err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
			counts[t.Name] = n
		}
		return complete(ctx, tx, from)
	})
	if err != nil {
		return nil, explain(err, "copy")
	}
	_, err = c.Exec(ctx, `ANALYZE `+copied)
	delete(counts, "progress")
	return counts, explain(err, "copy: collect statistics")
}

func mustBeEmpty(ctx context.Context, tx pgx.Tx) error {
	var parts []string
	for name := range strings.SplitSeq(copied, ", ") {
		parts = append(parts, "EXISTS (SELECT 1 FROM "+name+")")
	}
	var full bool
	if err := tx.QueryRow(ctx, "SELECT "+strings.Join(parts, " OR ")).Scan(&full); err != nil {
		return err
	}
	if full {
		return ErrNotEmpty
	}
	return nil
}

// fixed are columns that an export does not have.
var fixed = map[string]struct {
	column string
	value  any
}{
	"batches":         {"seqs", []int64{}},
	"delivery_counts": {"slot", int16(0)},
	"model_counts":    {"slot", int16(0)},
}

// copyTable streams the rows of one table and compares the sums over its columns.
func copyTable(ctx context.Context, tx pgx.Tx, t ledger.Table, from ledger.Exporter) (int64, error) {
	var columns []string
	for _, c := range t.Columns {
		columns = append(columns, c.Name)
	}
	extra, more := fixed[t.Name]
	if more {
		columns = append(columns, extra.column)
	}
	next, stop := iter.Pull2(from.Rows(ctx, t))
	defer stop()
	sums := make([]int64, len(t.Columns))
	n, err := tx.CopyFrom(ctx, pgx.Identifier{t.Name}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		row, err, ok := next()
		if err != nil || !ok {
			return nil, err
		}
		for i, c := range t.Columns {
			row[i] = asStored(row[i], c.Type)
			sums[i] += weight(row[i])
		}
		if more {
			row = append(row, extra.value)
		}
		return row, nil
	}))
	if err != nil {
		return n, err
	}
	return n, compareSums(ctx, tx, t, n, sums)
}

// asStored is a value as it is stored here.
func asStored(v any, t ledger.ColumnType) any {
	switch v := v.(type) {
	case string:
		return text(v)
	case []byte:
		if v == nil {
			return []byte{}
		}
	case int64:
		if t == ledger.Duration {
			return time.Duration(v) * time.Microsecond
		}
	}
	return v
}

// weight is what a value adds to the sum over its column.
func weight(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case bool:
		if v {
			return 1
		}
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	case time.Time:
		return v.UnixMicro() % 1_000_000_007
	case time.Duration:
		return v.Microseconds()
	}
	return 0
}

// weights are the same in SQL.
var weights = map[ledger.ColumnType]string{
	ledger.Number:   `%s`,
	ledger.Truth:    `%s::int`,
	ledger.Text:     `octet_length(%s)`,
	ledger.Bytes:    `octet_length(%s)`,
	ledger.Moment:   `(extract(epoch FROM %s) * 1000000)::bigint %% 1000000007`,
	ledger.Duration: `(extract(epoch FROM %s) * 1000000)::bigint`,
}

func compareSums(ctx context.Context, tx pgx.Tx, t ledger.Table, n int64, sums []int64) error {
	q := `SELECT count(*)`
	got := make([]int64, len(sums))
	var count int64
	to := []any{&count}
	for i, c := range t.Columns {
		q += `, coalesce(sum(` + fmt.Sprintf(weights[c.Type], c.Name) + `), 0)::bigint`
		to = append(to, &got[i])
	}
	if err := tx.QueryRow(ctx, q+` FROM `+t.Name).Scan(to...); err != nil {
		return err
	}
	if count != n {
		return fmt.Errorf("%d rows were sent and %d arrived", n, count)
	}
	for i, c := range t.Columns {
		if got[i] != sums[i] {
			return fmt.Errorf("column %s arrived otherwise than it was sent", c.Name)
		}
	}
	return nil
}

// complete makes what is stored in another way here.
func complete(ctx context.Context, tx pgx.Tx, from ledger.Exporter) error {
	numbers, err := from.Numbers(ctx)
	if err != nil {
		return err
	}
	b := new(pgx.Batch)
	b.Queue(`UPDATE batches b SET seqs = coalesce((SELECT array_agg(e.seq ORDER BY e.seq) FROM events e
		WHERE e.seq BETWEEN b.first_seq AND b.last_seq), '{}') WHERE b.first_seq > 0`)
	b.Queue(`UPDATE batches SET applied = true WHERE first_seq = 0`)
	b.Queue(`UPDATE batches b SET applied = p.applied OR b.first_seq = 0, counted_seq = p.counted_seq, counted_index = p.counted_index, revision = p.revision
		FROM progress p WHERE p.id = b.id`)
	b.Queue(`INSERT INTO arrivals (n, seqs) SELECT count(*), array_agg(seq ORDER BY seq) FROM (
			SELECT seq, (row_number() OVER (ORDER BY seq) - 1) / 500 AS part FROM events WHERE seq > $1
		) e GROUP BY part ORDER BY part`, numbers["cursor"])
	for table, column := range map[string]string{
		"events": "seq", "batches": "id", "deliveries": "id", "dead_letters": "id", "records": "id", "names": "id", "scopes": "id",
	} {
		b.Queue(`SELECT setval(pg_get_serial_sequence($1, $2), greatest($3::bigint, 1), $3::bigint > 0)`, table, column, numbers[table])
	}
	return tx.SendBatch(ctx, b).Close()
}
