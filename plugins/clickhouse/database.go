package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// database implements [sqlcore.Database].
type database struct {
	name string
	conn clickhouse.Conn
	mode atomic.Pointer[dialect] // nil until the server said what it is

	altering sync.Mutex // ClickHouse has no lock that keeps others from altering tables
	views    sync.Map   // tables whose view was there once
}

var (
	_ sqlcore.Database = (*database)(nil)
	_ sqlcore.Calendar = (*database)(nil)
)

// errURL quotes nothing of the URL, which has the password in it.
var errURL = errors.New(`setting "url": not an address of a ClickHouse: write clickhouse://user:password@host:9000/database, with special characters of the password percent-encoded; the port is that of the native protocol, with ?secure=true mostly 9440`)

func open(s settings) (*database, error) {
	o, err := clickhouse.ParseDSN(s.URL)
	// Debugging prints what is written.
	if err != nil || strings.Contains(s.URL, "debug=") || o.Protocol != clickhouse.Native || len(o.Addr) == 0 || o.Auth.Database == "" {
		return nil, errURL
	}
	o.DialTimeout = min(o.DialTimeout, 10*time.Second)
	if o.DialTimeout <= 0 {
		o.DialTimeout = 10 * time.Second
	}
	o.MaxOpenConns, o.MaxIdleConns = s.MaxConnections, s.MaxConnections
	conn, err := clickhouse.Open(o)
	if err != nil {
		return nil, errURL
	}
	return &database{name: o.Auth.Database, conn: conn}, nil
}

// dialect is that of the server, or a modern one before it was asked.
func (d *database) dialect() dialect {
	if m := d.mode.Load(); m != nil {
		return *m
	}
	return dialect{database: d.name, modern: true}
}

// learn asks the server once what it knows.
func (d *database) learn(ctx context.Context) error {
	if d.mode.Load() != nil {
		return nil
	}
	var n uint64
	if err := d.conn.QueryRow(ctx, "SELECT count() FROM system.data_type_families WHERE name IN ('Bool', 'DateTime64')").Scan(&n); err != nil {
		return err
	}
	d.mode.Store(&dialect{database: d.name, modern: n == 2})
	return nil
}

// Columns implements [sqlcore.Database].
func (d *database) Columns(ctx context.Context, table string) ([]sqlcore.Column, error) {
	found, _, err := d.columns(ctx, table)
	return found, err
}

// columns returns the columns of a table and which of them take values.
func (d *database) columns(ctx context.Context, table string) (found []sqlcore.Column, takes map[string]bool, err error) {
	if err := d.learn(ctx); err != nil {
		return nil, nil, err
	}
	rows, err := d.conn.Query(ctx, "SELECT name, type, comment, default_kind FROM system.columns WHERE database = ? AND table = ?", d.name, table)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	takes = map[string]bool{}
	for rows.Next() {
		var name, declared, comment, byDefault string
		if err := rows.Scan(&name, &declared, &comment, &byDefault); err != nil {
			return nil, nil, err
		}
		found = append(found, d.dialect().column(name, declared, comment))
		takes[name] = byDefault == "" || byDefault == "DEFAULT"
	}
	return found, takes, rows.Err()
}

// Alter implements [sqlcore.Database]. Another process may add a column at the same
// moment; that is a clash, and the table is looked at again.
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	d.altering.Lock()
	defer d.altering.Unlock()
	now, err := d.Columns(ctx, table)
	if err != nil {
		return err
	}
	alterations, err := plan(now)
	if err != nil || len(alterations) == 0 {
		return err
	}
	records := isRecords(now)
	for _, a := range alterations {
		for _, text := range d.dialect().alteration(table, a) {
			if err := d.conn.Exec(ctx, text); err != nil {
				return a.Refused(err)
			}
		}
		records = records || a.Create != nil && isRecords(a.Create.Columns)
	}
	if !records {
		return nil
	}
	for _, text := range d.dialect().renewView(table) {
		if err := d.conn.Exec(ctx, text); err != nil {
			return err
		}
	}
	d.views.Store(table, nil)
	return nil
}

// Write implements [sqlcore.Database]. There are no transactions: if a statement
// fails, those before it stay, and a repetition writes the same rows once more.
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	columns, takes, err := d.columns(ctx, w.Table)
	if err != nil {
		return err
	}
	if _, ok := d.views.Load(w.Table); !ok && isRecords(columns) {
		if err := d.conn.Exec(ctx, d.dialect().makeView(w.Table)); err != nil {
			return err
		}
		d.views.Store(w.Table, nil)
	}
	for _, s := range w.Statements {
		others := slices.DeleteFunc(slices.Clone(columns), func(c sqlcore.Column) bool {
			return !takes[c.Name] || c.Name == sqlcore.SyncedAt || slices.ContainsFunc(s.Columns, func(has sqlcore.Column) bool { return has.Name == c.Name })
		})
		table, err := parcel(s)
		if err != nil {
			return err
		}
		if err := d.conn.Exec(clickhouse.Context(ctx, clickhouse.WithExternalTable(table)), d.dialect().render(s, others)); err != nil {
			return err
		}
	}
	return nil
}

// parcel makes the table of text that comes with a statement.
func parcel(s sqlcore.Statement) (*ext.Table, error) {
	columns := make([]func(*ext.Table) error, len(s.Columns))
	for i := range s.Columns {
		columns[i] = ext.Column(source(i), "Nullable(String)")
	}
	table, err := ext.NewTable(rows, columns...)
	if err != nil {
		return nil, err
	}
	row := make([]any, len(s.Columns))
	for i := range s.Values[0] {
		for j, c := range s.Columns {
			row[j] = s.Values[j][i]
			if v := s.Values[j][i]; v != nil && c.Kind == sqlcore.Number {
				row[j] = sqlcore.Plain(*v)
			}
		}
		if err := table.Append(row...); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// checkTable is made and dropped again by a check.
const checkTable = "_sluice_check"

func (d *database) check(ctx context.Context) error {
	if err := d.learn(ctx); err != nil {
		return err
	}
	table := d.dialect().table(checkTable)
	for _, text := range []string{
		"CREATE TABLE IF NOT EXISTS " + table + " (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a", "ALTER TABLE " + table + " MODIFY COLUMN a UInt8",
		"INSERT INTO " + table + " SELECT 1", "DROP TABLE IF EXISTS " + table,
	} {
		if err := d.conn.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// Names implements [sqlcore.Database].
func (d *database) Names() sqlcore.Names { return d.dialect().Names() }

// Digits implements [sqlcore.Database].
func (d *database) Digits() sqlcore.Digits { return digits }

// Years implements [sqlcore.Calendar].
func (d *database) Years() (first, last int) { return d.dialect().Years() }

// TakesAny implements [sqlcore.Database].
func (d *database) TakesAny(k sqlcore.Kind) bool { return d.dialect().TakesAny(k) }

// Render implements [sqlcore.Database].
func (d *database) Render(s sqlcore.Statement) string { return d.dialect().Render(s) }

// RenderAlteration implements [sqlcore.Database].
func (d *database) RenderAlteration(table string, a sqlcore.Alteration) []string {
	return d.dialect().RenderAlteration(table, a)
}
