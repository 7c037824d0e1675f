package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrate brings a file to the newest schema. A new file gets the settings that
// can only be made before its first table.
func migrate(ctx context.Context, name, file string) (err error) {
	db, err := sql.Open("sqlite", fileURL(file)+"?_pragma=busy_timeout(10000)&_pragma=auto_vacuum(incremental)&_pragma=journal_mode(wal)&_pragma=synchronous(full)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	dir, err := steps(name)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version of %s: %w", file, err)
	}
	if have > want {
		return fmt.Errorf("%s has schema version %d, this sluice knows %d: it was written by a newer sluice; use that one", file, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", file, err)
	}
	return nil
}

// steps are the migrations of one file.
func steps(name string) (fs.FS, error) { return fs.Sub(migrations, "migrations/"+name) }

// newest is the schema version that this program writes.
func newest(name string) (version int64, err error) {
	dir, err := steps(name)
	if err != nil {
		return 0, err
	}
	files, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		v, err := goose.NumericComponent(file)
		if err != nil {
			return 0, err
		}
		version = max(version, v)
	}
	return version, nil
}
