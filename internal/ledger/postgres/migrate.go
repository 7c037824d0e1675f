package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// newest is the version of the newest migration.
const newest = 4

// migrate brings the schema to the newest version that this program knows. A
// newer one is left as it is, if it says that this program can work with it.
func migrate(ctx context.Context, config *pgx.ConnConfig, schema string) (err error) {
	config = config.Copy()
	// A change of a table waits for those who use it, and whoever comes later
	// waits for the change.
	config.RuntimeParams["lock_timeout"] = "10s"
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	err = prepare(ctx, c, schema)
	have, known := 0, false
	if err == nil {
		have, known, err = readVersion(ctx, c)
	}
	if err = errors.Join(err, c.Close(context.WithoutCancel(ctx))); err != nil || known && have >= schemaVersion {
		return err
	}

	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	dir, err := migrationFiles()
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(lockNumber("migrate", schema)), lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema %s: %w", schema, err)
	}
	return nil
}

// prepare looks first: CREATE SCHEMA IF NOT EXISTS asks for the right to create
// schemas even where there is nothing to create.
func prepare(ctx context.Context, c *pgx.Conn, schema string) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockNumber("schema", schema)); err != nil {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)", schema).Scan(&exists); err != nil || exists {
			return err
		}
		_, err := tx.Exec(ctx, "CREATE SCHEMA "+pgx.Identifier{schema}.Sanitize())
		return err
	})
}

// readVersion refuses a schema that this program cannot work with. known is
// false before the first migration.
func readVersion(ctx context.Context, c *pgx.Conn) (have int, known bool, err error) {
	if err := c.QueryRow(ctx, "SELECT to_regclass('ledger_schema') IS NOT NULL").Scan(&known); err != nil || !known {
		return 0, false, err
	}
	var from int
	if err := c.QueryRow(ctx, "SELECT version, compatible_from FROM ledger_schema").Scan(&have, &from); err != nil {
		return 0, false, fmt.Errorf("read schema version: %w", err)
	}
	if from > schemaVersion {
		return 0, false, fmt.Errorf("the schema has version %d, which a sluice that knows version %d or newer can use; this one knows %d: "+
			"it was upgraded by a newer sluice; use that one", have, from, schemaVersion)
	}
	return have, true, nil
}

// lockNumber names an advisory lock.
func lockNumber(parts ...string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "sluice ledger %q", parts)
	return int64(h.Sum64())
}
