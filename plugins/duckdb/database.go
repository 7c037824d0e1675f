package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// database implements [sqlcore.Database].
type database struct {
	dialect
	*file
}

var _ sqlcore.Database = (*database)(nil)

func newDatabase(o options) *database {
	return &database{dialect: dialect{schema: o.schema}, file: newFile(o)}
}

func (d *database) transaction(ctx context.Context, do func(*sql.Tx) error) error {
	return d.use(ctx, func(pool *sql.DB) error {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := do(tx); err != nil {
			if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
				err = errors.Join(err, rollback)
			}
			return err
		}
		return tx.Commit()
	})
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (d *database) columns(ctx context.Context, q querier, table string) (found []sqlcore.Column, err error) {
	// Names of tables differ by more than case.
	rows, err := q.QueryContext(ctx, `SELECT column_name, data_type FROM duckdb_columns()
WHERE database_name = current_database() AND lower(schema_name) = lower(?) AND lower(table_name) = lower(?)
ORDER BY column_index`, d.dialect.schema, table)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name, declared string
		if err := rows.Scan(&name, &declared); err != nil {
			return nil, err
		}
		found = append(found, column(name, declared))
	}
	return found, rows.Err()
}

// Columns implements [sqlcore.Database].
func (d *database) Columns(ctx context.Context, table string) (found []sqlcore.Column, err error) {
	if _, err := os.Stat(d.path); errors.Is(err, os.ErrNotExist) {
		return nil, nil // a look makes no file
	} else if err != nil {
		return nil, err
	}
	err = d.use(ctx, func(pool *sql.DB) error {
		found, err = d.columns(ctx, pool, table)
		return err
	})
	return found, err
}

// Alter implements [sqlcore.Database]. No other process has the file.
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	return d.transaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+sqlcore.Quote(d.dialect.schema)); err != nil {
			return err
		}
		now, err := d.columns(ctx, tx, table)
		if err != nil {
			return err
		}
		alterations, err := plan(now)
		if err != nil {
			return err
		}
		for _, a := range alterations {
			for _, text := range d.RenderAlteration(table, a) {
				if _, err := tx.ExecContext(ctx, text); err != nil {
					return a.Refused(err)
				}
			}
		}
		return nil
	})
}

// Write implements [sqlcore.Database].
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	return d.transaction(ctx, func(tx *sql.Tx) error {
		for _, s := range w.Statements {
			args := make([]any, len(s.Values))
			for i, values := range s.Values {
				text, err := json.Marshal(values)
				if err != nil { // text always marshals
					return err
				}
				args[i] = string(text)
			}
			if _, err := tx.ExecContext(ctx, d.Render(s), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *database) check(ctx context.Context) error {
	return d.transaction(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+sqlcore.Quote(d.dialect.schema))
		return err
	})
}
