package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// stageRows is from how many rows on a statement gets them by COPY. Below it, what
// COPY saves is lost to the round trips that it takes.
const stageRows = 500

func isLarge(s sqlcore.Statement) bool { return len(s.Values[0]) >= stageRows }

// errNoStage says that the user may not make temporary tables.
var errNoStage = errors.New("no right to make temporary tables")

// writeStaged writes work with large statements. Their rows are copied into
// temporary tables of text, which stay with the connection and are empty after
// each transaction.
func (d *database) writeStaged(ctx context.Context, w sqlcore.Work) error {
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if lock, args := d.lock(w); lock != "" {
			if _, err := tx.Exec(ctx, lock, args...); err != nil {
				return err
			}
		}
		for i, s := range w.Statements {
			if err := d.runStaged(ctx, tx, i, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *database) runStaged(ctx context.Context, tx pgx.Tx, number int, s sqlcore.Statement) error {
	if !isLarge(s) {
		_, err := tx.Exec(ctx, d.Render(s), arrays(s)...)
		return err
	}
	names, declared := make([]string, len(s.Columns)), make([]string, len(s.Columns))
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i+1)
		declared[i] = names[i] + " text"
	}
	table := fmt.Sprintf("sluice_stage_%d_%d", number, len(names))
	if _, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE IF NOT EXISTS "+table+" ("+strings.Join(declared, ", ")+") ON COMMIT DELETE ROWS"); err != nil {
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42501" {
			return errNoStage
		}
		return err
	}
	row := make([]any, len(s.Columns))
	rows := pgx.CopyFromSlice(len(s.Values[0]), func(at int) ([]any, error) {
		for i := range s.Values {
			if row[i] = nil; s.Values[i][at] != nil {
				row[i] = *s.Values[i][at]
			}
		}
		return row, nil
	})
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", table}, names, rows); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, sqlcore.Render(stagedDialect{d.dialect, "pg_temp." + table}, s))
	return err
}

// stagedDialect takes rows from a table of text.
type stagedDialect struct {
	dialect
	table string
}

// Source implements [sqlcore.Dialect].
func (d stagedDialect) Source(columns []sqlcore.Column) (string, []string) {
	_, expressions := d.dialect.Source(columns)
	return d.table + " AS r", expressions
}
