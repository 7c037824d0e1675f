package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// lockPatience bounds the wait for a table that others read, in seconds: while an
// ALTER waits for them, everybody else waits for the ALTER.
const lockPatience = "10"

// database implements [sqlcore.Database].
type database struct {
	name string
	pool *sql.DB
	mode atomic.Pointer[dialect] // nil until the server said what it is
}

var _ sqlcore.Database = (*database)(nil)

func open(s settings) (*database, error) {
	config, err := parse(s.URL)
	if err != nil {
		return nil, err
	}
	// What the driver would print comes as an error too.
	if err := config.Apply(mysql.BeforeConnect(nil)); err != nil {
		return nil, errURL
	}
	config.Logger = log.New(io.Discard, "", 0)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, errURL
	}
	d := &database{name: config.DBName, pool: sql.OpenDB(connector)}
	d.pool.SetMaxOpenConns(s.MaxConnections)
	d.pool.SetMaxIdleConns(s.MaxConnections)
	d.pool.SetConnMaxIdleTime(5 * time.Minute)
	return d, nil
}

// dialect is that of the server, or that of MariaDB before it was asked.
func (d *database) dialect() dialect {
	if m := d.mode.Load(); m != nil {
		return *m
	}
	return mariaDB
}

// learn asks the server once what it is.
func (d *database) learn(ctx context.Context) error {
	if d.mode.Load() != nil {
		return nil
	}
	var version string
	if err := d.pool.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	m := mySQL8
	if strings.Contains(version, "MariaDB") {
		m = mariaDB
	}
	d.mode.Store(&m)
	return nil
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (d *database) columns(ctx context.Context, q querier, table string) (found []sqlcore.Column, err error) {
	rows, err := q.QueryContext(ctx, `SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_COMMENT FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`, d.name, table)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name, declared, comment string
		if err := rows.Scan(&name, &declared, &comment); err != nil {
			return nil, err
		}
		found = append(found, column(name, declared, comment))
	}
	return found, rows.Err()
}

// Columns implements [sqlcore.Database].
func (d *database) Columns(ctx context.Context, table string) ([]sqlcore.Column, error) {
	if err := d.learn(ctx); err != nil {
		return nil, err
	}
	return d.columns(ctx, d.pool, table)
}

// Alter implements [sqlcore.Database]. A change of a table is no part of a
// transaction here; a named lock keeps other processes of ours from altering
// tables of the database meanwhile.
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	return d.locked(ctx, lockName("schema", d.name), func(c *sql.Conn) error {
		now, err := d.columns(ctx, c, table)
		if err != nil {
			return err
		}
		alterations, err := plan(now)
		if err != nil {
			return err
		}
		for _, a := range alterations {
			for _, text := range d.RenderAlteration(table, a) {
				if _, err := c.ExecContext(ctx, text); err != nil {
					return a.Refused(err)
				}
			}
		}
		return nil
	})
}

// errBusy says that another process of ours has the lock.
var errBusy = errors.New("another process is changing the tables")

// locked calls do with a connection that holds a named lock.
func (d *database) locked(ctx context.Context, name string, do func(*sql.Conn) error) (err error) {
	c, err := d.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	var got sql.NullInt64
	if err := c.QueryRowContext(ctx, "SELECT GET_LOCK(?, "+lockPatience+")", name).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return errBusy
	}
	defer func() {
		// The context may be over. A connection that cannot give the lock back is
		// closed, which does it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, releaseErr := c.ExecContext(ctx, "DO RELEASE_LOCK(?)", name); releaseErr != nil {
			_ = c.Raw(func(any) error { return mysql.ErrInvalidConn })
		}
	}()
	return do(c)
}

type beginner interface {
	BeginTx(ctx context.Context, o *sql.TxOptions) (*sql.Tx, error)
}

// Write implements [sqlcore.Database].
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	if !w.Guarded {
		return d.transaction(ctx, d.pool, w)
	}
	return d.locked(ctx, lockName("table", d.name, w.Table), func(c *sql.Conn) error { return d.transaction(ctx, c, w) })
}

func (d *database) transaction(ctx context.Context, b beginner, w sqlcore.Work) error {
	// Other levels lock the gaps between keys, and so more than is written.
	tx, err := b.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	for _, s := range w.Statements {
		text, err := document(s.Values)
		if err == nil {
			_, err = tx.ExecContext(ctx, d.Render(s), text)
		}
		if err != nil {
			if rollback := tx.Rollback(); !errors.Is(rollback, sql.ErrTxDone) {
				err = errors.Join(err, rollback)
			}
			return err
		}
	}
	return tx.Commit()
}

// document writes the rows of a statement as one list of lists of text.
func document(values [][]*string) (string, error) {
	rows := make([][]*string, len(values[0]))
	for i := range rows {
		rows[i] = make([]*string, len(values))
		for j := range values {
			rows[i][j] = values[j][i]
		}
	}
	text, err := json.Marshal(rows)
	return string(text), err
}

// lockName is at most 64 characters long.
func lockName(parts ...string) string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", parts)
	return fmt.Sprintf("sluice-%016x", h.Sum64())
}

// checkTable is made and dropped again by a check.
const checkTable = "_sluice_check"

func (d *database) check(ctx context.Context) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	return d.locked(ctx, lockName("schema", d.name), func(c *sql.Conn) error {
		for _, text := range []string{
			"CREATE TABLE IF NOT EXISTS " + checkTable + " (a INT)", "ALTER TABLE " + checkTable + " ADD COLUMN b INT",
			"INSERT INTO " + checkTable + " VALUES (1, 1)", "UPDATE " + checkTable + " SET b = 2", "DELETE FROM " + checkTable, "DROP TABLE " + checkTable,
		} {
			if _, err := c.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// Names implements [sqlcore.Database].
func (d *database) Names() sqlcore.Names { return d.dialect().Names() }

// Digits implements [sqlcore.Database].
func (d *database) Digits() sqlcore.Digits { return digits }

// TakesAny implements [sqlcore.Database].
func (d *database) TakesAny(k sqlcore.Kind) bool {
	return k == sqlcore.Text || k == sqlcore.JSON || k == sqlcore.Other
}

// Render implements [sqlcore.Database].
func (d *database) Render(s sqlcore.Statement) string { return d.dialect().render(s) }

// RenderAlteration implements [sqlcore.Database].
func (d *database) RenderAlteration(table string, a sqlcore.Alteration) []string {
	return d.dialect().alteration(table, a)
}
