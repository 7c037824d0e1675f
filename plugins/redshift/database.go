package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// database implements [sqlcore.Database]. It speaks the protocol below pgx's
// types: Redshift has no standard_conforming_strings, which pgx needs to put
// values into SQL, and cannot tell the types of parameters in a list of rows.
type database struct {
	dialect
	pool *pgxpool.Pool
}

var _ sqlcore.Database = (*database)(nil)

// errURL replaces the parser's error, which could quote the password.
var errURL = errors.New(`setting "url": not a connection string: write postgres://user:password@host:5439/database`)

func open(s settings) (*database, error) {
	config, err := pgxpool.ParseConfig(s.URL)
	if err != nil || s.URL == "" {
		return nil, errURL
	}
	config.MaxConns = int32(s.MaxConnections)
	config.MinConns = 0
	config.MaxConnIdleTime = 5 * time.Minute
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	if params := config.ConnConfig.RuntimeParams; params["application_name"] == "" {
		params["application_name"] = "sluice"
	}
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		// Without the second, names that differ in case only are one.
		return command(ctx, c.PgConn(), "SET timezone TO 'UTC'; SET enable_case_sensitive_identifier TO true")
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, errURL
	}
	return &database{dialect: dialect{schema: s.Schema}, pool: pool}, nil
}

// command runs SQL that has no values.
func command(ctx context.Context, c *pgconn.PgConn, sql string) error {
	return c.Exec(ctx, sql).Close()
}

// execute runs one statement with values as text.
func execute(ctx context.Context, c *pgconn.PgConn, sql string, values ...*string) *pgconn.Result {
	params, oids := make([][]byte, len(values)), make([]uint32, len(values))
	for i, v := range values {
		if oids[i] = pgtype.VarcharOID; v != nil {
			params[i] = []byte(*v)
		}
	}
	return c.ExecParams(ctx, sql, params, oids, nil, nil).Read()
}

// transaction runs f between BEGIN and COMMIT, after all other writers of the
// schema. The lock comes first: Redshift takes the snapshot of a transaction at
// its first statement that reads.
func (d *database) transaction(ctx context.Context, f func(c *pgconn.PgConn) error) error {
	pooled, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer pooled.Release() // a connection within a transaction is closed by this
	c := pooled.Conn().PgConn()
	if err := command(ctx, c, "BEGIN"); err != nil {
		return err
	}
	err = command(ctx, c, "LOCK TABLE "+d.Table(lockTable))
	if err == nil {
		err = f(c)
	}
	if err != nil {
		if _, answered := errors.AsType[*pgconn.PgError](err); answered {
			_ = command(ctx, c, "ROLLBACK") // the first error says more; the pool drops the connection if it is broken
		}
		return err
	}
	return command(ctx, c, "COMMIT")
}

const selectColumns = `SELECT column_name, data_type, numeric_precision, numeric_scale FROM information_schema.columns
WHERE table_schema = $1 AND table_name = $2`

func (d *database) columns(ctx context.Context, c *pgconn.PgConn, table string) ([]sqlcore.Column, error) {
	result := execute(ctx, c, selectColumns, &d.schema, &table)
	if result.Err != nil {
		return nil, result.Err
	}
	var out []sqlcore.Column
	for _, r := range result.Rows {
		out = append(out, column(string(r[0]), string(r[1]), string(r[2]), string(r[3])))
	}
	return out, nil
}

// Columns implements [sqlcore.Database].
func (d *database) Columns(ctx context.Context, table string) (out []sqlcore.Column, err error) {
	err = d.with(ctx, func(c *pgconn.PgConn) error {
		out, err = d.columns(ctx, c, table)
		return err
	})
	return out, err
}

func (d *database) with(ctx context.Context, f func(c *pgconn.PgConn) error) error {
	pooled, err := d.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer pooled.Release()
	return f(pooled.Conn().PgConn())
}

// Alter implements [sqlcore.Database].
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	if err := d.with(ctx, func(c *pgconn.PgConn) error { return d.ensureSchema(ctx, c) }); err != nil {
		return err
	}
	return d.transaction(ctx, func(c *pgconn.PgConn) error {
		now, err := d.columns(ctx, c, table)
		if err != nil {
			return err
		}
		alterations, err := plan(now)
		if err != nil {
			return err
		}
		for _, a := range alterations {
			for _, sql := range d.RenderAlteration(table, a) {
				if err := command(ctx, c, sql); err != nil {
					return a.Refused(err)
				}
			}
		}
		return nil
	})
}

// raceError is what two processes get that make the same schema at once.
type raceError struct{ error }

// raceCodes are its SQLSTATEs: a row of the catalog, a schema, a table, or the type
// of its rows is there already.
var raceCodes = []string{"23505", "42P06", "42P07", "42710"}

// ensureSchema makes the schema and the table that writers lock. It looks first:
// CREATE SCHEMA asks for its right even where there is nothing to create.
func (d *database) ensureSchema(ctx context.Context, c *pgconn.PgConn) error {
	result := execute(ctx, c, "SELECT nspname FROM pg_namespace WHERE nspname = $1", &d.schema)
	if result.Err != nil {
		return result.Err
	}
	if len(result.Rows) == 0 {
		if err := command(ctx, c, "CREATE SCHEMA IF NOT EXISTS "+sqlcore.Quote(d.schema)); err != nil {
			return race(err)
		}
	}
	found, err := d.columns(ctx, c, lockTable)
	if err != nil || len(found) > 0 {
		return err
	}
	return race(command(ctx, c, "CREATE TABLE IF NOT EXISTS "+d.Table(lockTable)+" (held integer)"))
}

func race(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && slices.Contains(raceCodes, e.Code) {
		return raceError{err}
	}
	return err
}

// Write implements [sqlcore.Database].
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	err := d.transaction(ctx, func(c *pgconn.PgConn) error {
		for _, s := range w.Statements {
			if err := d.run(ctx, c, s); err != nil {
				return err
			}
		}
		return nil
	})
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42P01" {
		// Somebody may have dropped the table that we lock; the core looks again.
		return errors.Join(err, d.with(ctx, func(c *pgconn.PgConn) error { return d.ensureSchema(ctx, c) }))
	}
	return err
}

const (
	maxParameters = 32767    // of a statement
	maxStatement  = 12 << 20 // bytes of values; Redshift takes 16 MB with the SQL
)

func (d *database) run(ctx context.Context, c *pgconn.PgConn, s sqlcore.Statement) error {
	if err := command(ctx, c, createStaging(s)); err != nil {
		return err
	}
	var values []*string
	bytes, rows := 0, 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		result := execute(ctx, c, insertStaging(s, rows), values...)
		values, bytes, rows = nil, 0, 0
		return result.Err
	}
	for i := range s.Values[0] {
		row, size, err := stagedRow(s, i)
		if err != nil {
			return err
		}
		if len(values)+len(row) > maxParameters || bytes+size > maxStatement {
			if err := flush(); err != nil {
				return err
			}
		}
		values, bytes, rows = append(values, row...), bytes+size, rows+1
	}
	if err := flush(); err != nil {
		return err
	}
	for _, sql := range d.apply(s) {
		if err := command(ctx, c, sql); err != nil {
			return err
		}
	}
	return nil
}

func stagedRow(s sqlcore.Statement, i int) (row []*string, size int, err error) {
	for j, column := range s.Columns {
		value, err := text(column, s.Values[j][i])
		if err != nil {
			return nil, 0, err
		}
		if value != nil {
			size += len(*value)
		}
		row = append(row, value)
	}
	if len(s.Masks) > 0 {
		row, size = append(row, &s.Masks[i]), size+len(s.Masks[i])
	}
	return row, size, nil
}

func (d *database) check(ctx context.Context) error {
	return d.with(ctx, func(c *pgconn.PgConn) error {
		result := execute(ctx, c, `SELECT
	(SELECT CASE WHEN has_schema_privilege(nspname, 'CREATE') AND has_schema_privilege(nspname, 'USAGE') THEN 'yes' ELSE 'no' END FROM pg_namespace WHERE nspname = $1),
	CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 'yes' ELSE 'no' END`, &d.schema)
		if result.Err != nil {
			return result.Err
		}
		schema, database := result.Rows[0][0], string(result.Rows[0][1])
		switch {
		case schema != nil && string(schema) != "yes":
			return &setupError{"42501", fmt.Sprintf("the user may not create tables in schema %q: GRANT USAGE, CREATE ON SCHEMA to it", d.schema)}
		case schema == nil && database != "yes":
			return &setupError{"42501", fmt.Sprintf("schema %q does not exist and the user may not create it: CREATE SCHEMA with AUTHORIZATION for this user", d.schema)}
		}
		return nil
	})
}
