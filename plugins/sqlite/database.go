package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	_ "modernc.org/sqlite" // the driver
)

// database implements [sqlcore.Database].
type database struct {
	dialect
	path string
	pool *sql.DB // of one connection: SQLite has one writer
}

var _ sqlcore.Database = (*database)(nil)

// open prepares the file; the first use opens it. What was answered as delivered
// is on disk, so every commit is synced. Another process may write too: a
// transaction takes the lock at its beginning and waits for it.
func open(path string) (*database, error) {
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"},
	}.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	pool.SetMaxOpenConns(1)
	return &database{path: path, pool: pool}, nil
}

// ready makes the directories of the file.
func (d *database) ready() error {
	return os.MkdirAll(filepath.Dir(d.path), 0o750)
}

func (d *database) transaction(ctx context.Context, f func(*sql.Tx) error) error {
	if err := d.ready(); err != nil {
		return err
	}
	tx, err := d.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone drops the complaint that the driver has rolled back already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func columns(ctx context.Context, q querier, table string) (found []sqlcore.Column, err error) {
	rows, err := q.QueryContext(ctx, `SELECT name, type FROM pragma_table_xinfo(?)`, table)
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
func (d *database) Columns(ctx context.Context, table string) ([]sqlcore.Column, error) {
	if _, err := os.Stat(d.path); errors.Is(err, os.ErrNotExist) {
		return nil, nil // a look makes no file
	} else if err != nil {
		return nil, err
	}
	return columns(ctx, d.pool, table)
}

// Alter implements [sqlcore.Database]. The transaction holds the one lock of the
// file.
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	return d.transaction(ctx, func(tx *sql.Tx) error {
		now, err := columns(ctx, tx, table)
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
			if err := d.run(ctx, tx, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *database) run(ctx context.Context, tx *sql.Tx, s sqlcore.Statement) (err error) {
	prepared, err := tx.PrepareContext(ctx, d.Render(s))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, prepared.Close()) }()
	args := make([]any, len(s.Columns))
	for i := range s.Values[0] {
		for j, c := range s.Columns {
			if args[j], err = bind(c.Kind, s.Values[j][i]); err != nil {
				return err
			}
		}
		if _, err := prepared.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// bind gives a value the storage class of its column: integers for versions and
// booleans, text for everything else.
func bind(k sqlcore.Kind, value *string) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch k {
	case sqlcore.Integer:
		return strconv.ParseInt(*value, 10, 64)
	case sqlcore.Boolean:
		if *value == "true" {
			return int64(1), nil
		}
		return int64(0), nil
	default:
		return *value, nil
	}
}

func (d *database) check(ctx context.Context) error {
	return d.transaction(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "PRAGMA user_version")
		return err
	})
}
