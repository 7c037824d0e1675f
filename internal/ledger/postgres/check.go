package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

var _ ledger.Checker = (*Checker)(nil)

// Checker looks at a ledger in one snapshot, which instances may go on using.
type Checker struct{ conn *pgx.Conn }

// OpenChecker connects to the ledger. It makes and migrates nothing.
func OpenChecker(ctx context.Context, o Options) (*Checker, error) {
	o = o.filled()
	config, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	c, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return nil, unopened(err, "check")
	}
	have, known, err := readVersion(ctx, c)
	switch {
	case err != nil:
	case !known:
		err = fmt.Errorf("there is no ledger in schema %s: is ledger.postgres the right one? sluice serve makes it", o.Schema)
	case have != schemaVersion:
		err = fmt.Errorf("schema %s has version %d, this sluice knows %d: check it with the sluice that wrote it", o.Schema, have, schemaVersion)
	}
	if err != nil {
		return nil, explain(errors.Join(err, c.Close(ctx)), "check")
	}
	return &Checker{c}, nil
}

// Close ends the connection.
func (c *Checker) Close() error { return c.conn.Close(context.Background()) }

// shown is how many findings of one kind are reported one by one.
const shown = 20

// Check implements [ledger.Checker].
func (c *Checker) Check(ctx context.Context, report func(ledger.Finding)) error {
	err := pgx.BeginTxFunc(ctx, c.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, r := range rules {
			if err := r.run(ctx, tx, report); err != nil {
				return err
			}
		}
		return errors.Join(readRecords(ctx, tx, report), readElements(ctx, tx, report))
	})
	return explain(err, "check")
}

func (r rule) run(ctx context.Context, tx pgx.Tx, report func(ledger.Finding)) error {
	rows, err := tx.Query(ctx, r.query)
	if err != nil {
		return fmt.Errorf("%s: %w", r.check, err)
	}
	f := ledger.Finding{Check: r.check, Advice: r.advice}
	n := 0
	if _, err = pgx.ForEachRow(rows, []any{&f.Object, &f.Problem}, func() error {
		if n++; n <= shown {
			report(f)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("%s: %w", r.check, err)
	}
	more(report, r.check, n, r.advice)
	return nil
}

func more(report func(ledger.Finding), check string, n int, advice string) {
	if n > shown {
		report(ledger.Finding{Check: check, Object: "others", Problem: fmt.Sprintf("%d more of the same", n-shown), Advice: advice})
	}
}

// readRecords reads every record's state.
func readRecords(ctx context.Context, tx pgx.Tx, report func(ledger.Finding)) error {
	rows, err := tx.Query(ctx, `SELECT id, deleted, state FROM records`)
	if err != nil {
		return err
	}
	var id int64
	var deleted bool
	var state []byte
	bad := 0
	_, err = pgx.ForEachRow(rows, []any{&id, &deleted, &state}, func() error {
		var rec event.Record
		problem := ""
		if err := rec.DecodeState(state); err != nil {
			// The cause may quote what the record says.
			problem = "its state cannot be read"
		} else if rec.Deleted() != deleted {
			problem = fmt.Sprintf("its state says deleted %v, its row %v", rec.Deleted(), deleted)
		}
		if problem == "" {
			return nil
		}
		if bad++; bad <= shown {
			report(ledger.Finding{Check: ledger.CheckRecords, Object: fmt.Sprintf("record %d", id), Problem: problem, Advice: ledger.AdviceRestore})
		}
		return nil
	})
	more(report, ledger.CheckRecords, bad, ledger.AdviceRestore)
	return err
}

// readElements reads what is remembered of the elements of lists.
func readElements(ctx context.Context, tx pgx.Tx, report func(ledger.Finding)) error {
	rows, err := tx.Query(ctx, `SELECT id, children FROM deliveries WHERE children IS NOT NULL`)
	if err != nil {
		return err
	}
	var id int64
	var children *string
	bad := 0
	_, err = pgx.ForEachRow(rows, []any{&id, &children}, func() error {
		if _, err := decodeChildren(children); err == nil {
			return nil
		}
		if bad++; bad <= shown {
			report(ledger.Finding{
				Check: ledger.CheckMappings, Object: fmt.Sprintf("delivery %d", id), Problem: "its elements cannot be read", Advice: ledger.AdviceRestore,
			})
		}
		return nil
	})
	more(report, ledger.CheckMappings, bad, ledger.AdviceRestore)
	return err
}
