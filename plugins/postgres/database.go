package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// database implements [sqlcore.Database].
type database struct {
	dialect
	pool     *pgxpool.Pool
	patience string // lockPatience, but for tests
	noStage  atomic.Bool
}

var _ sqlcore.Database = (*database)(nil)

// errURL replaces the parser's error, which could quote the password.
var errURL = errors.New(`setting "url": not a PostgreSQL connection string: write postgres://user:password@host:5432/database`)

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
	params := config.ConnConfig.RuntimeParams
	if params["application_name"] == "" {
		params["application_name"] = "sluice"
	}
	params["timezone"] = "UTC"
	config.AfterConnect = func(_ context.Context, c *pgx.Conn) error {
		// Where statements are not prepared, pgx cannot ask the server for the type.
		c.TypeMap().RegisterDefaultPgType(textArray(nil), "_text")
		return nil
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, errURL
	}
	return &database{dialect: dialect{schema: s.Schema}, pool: pool, patience: lockPatience}, nil
}

const selectColumns = `SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func (d *database) columns(ctx context.Context, q querier, table string) ([]sqlcore.Column, error) {
	rows, err := q.Query(ctx, selectColumns, d.schema, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (sqlcore.Column, error) {
		var name, declared string
		if err := r.Scan(&name, &declared); err != nil {
			return sqlcore.Column{}, err
		}
		return column(name, declared), nil
	})
}

// Columns implements [sqlcore.Database].
func (d *database) Columns(ctx context.Context, table string) ([]sqlcore.Column, error) {
	return d.columns(ctx, d.pool, table)
}

// lockPatience bounds the wait for a table that others read: while an ALTER waits
// for them, everybody else waits for the ALTER.
const lockPatience = "10s"

// Alter implements [sqlcore.Database]. An advisory lock keeps other processes of
// ours from altering the schema meanwhile: IF NOT EXISTS alone does not help two
// that create the same thing at once.
func (d *database) Alter(ctx context.Context, table string, plan func([]sqlcore.Column) ([]sqlcore.Alteration, error)) error {
	return pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('lock_timeout', $1, true), pg_advisory_xact_lock($2)", d.patience, lockNumber("schema", d.schema)); err != nil {
			return err
		}
		if err := d.ensureSchema(ctx, tx); err != nil {
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
			for _, sql := range d.RenderAlteration(table, a) {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return a.Refused(err)
				}
			}
		}
		return nil
	})
}

// ensureSchema looks first: CREATE SCHEMA IF NOT EXISTS asks for the right to
// create schemas even where there is nothing to create.
func (d *database) ensureSchema(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", d.schema).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+sqlcore.Quote(d.schema))
	return err
}

// Write implements [sqlcore.Database]. All statements go in one round trip, which
// PostgreSQL makes one transaction, unless one of them is large.
func (d *database) Write(ctx context.Context, w sqlcore.Work) error {
	if !d.noStage.Load() && slices.ContainsFunc(w.Statements, isLarge) {
		err := d.writeStaged(ctx, w)
		if !errors.Is(err, errNoStage) {
			return err
		}
		d.noStage.Store(true)
	}
	var batch pgx.Batch
	if lock, args := d.lock(w); lock != "" {
		batch.Queue(lock, args...)
	}
	for _, s := range w.Statements {
		batch.Queue(d.Render(s), arrays(s)...)
	}
	return d.pool.SendBatch(ctx, &batch).Close()
}

// lock is the statement that keeps work from running beside other work on its table.
func (d *database) lock(w sqlcore.Work) (string, []any) {
	name := []any{lockNumber("table", d.schema, w.Table)}
	switch {
	case w.Buries:
		return "SELECT pg_advisory_xact_lock($1)", name
	case w.Guarded:
		return "SELECT pg_advisory_xact_lock_shared($1)", name
	default:
		return "", nil
	}
}

// arrays are the parameters of a statement, one for each column.
func arrays(s sqlcore.Statement) []any {
	args := make([]any, len(s.Values))
	for i, values := range s.Values {
		args[i] = textArray(values)
	}
	return args
}

// lockNumber names an advisory lock.
func lockNumber(parts ...string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "sluice %q", parts)
	return int64(h.Sum64())
}

func (d *database) check(ctx context.Context) error {
	var exists, mayCreate, mayMakeSchema, readOnly bool
	err := d.pool.QueryRow(ctx, `SELECT
	EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1),
	COALESCE((SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1), false),
	has_database_privilege(current_database(), 'CREATE'),
	current_setting('transaction_read_only') = 'on'`, d.schema).Scan(&exists, &mayCreate, &mayMakeSchema, &readOnly)
	switch {
	case err != nil:
		return err
	case readOnly:
		return &setupError{"READ_ONLY", "the database is read-only: use the address of the primary server"}
	case exists && !mayCreate:
		return &setupError{"42501", fmt.Sprintf("the user may not create tables in schema %q: GRANT USAGE, CREATE ON SCHEMA to it", d.schema)}
	case !exists && !mayMakeSchema:
		return &setupError{"42501", fmt.Sprintf("schema %q does not exist and the user may not create it: CREATE SCHEMA with this user as its owner", d.schema)}
	}
	return nil
}
