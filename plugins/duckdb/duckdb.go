package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const version = "0.1.0"

// settings are what an operator writes under config.
type settings struct {
	Path         string `json:"path" jsonschema:"minLength=1,description=The database file. It and its directories are made when they are not there."`
	Schema       string `json:"schema,omitempty" jsonschema:"minLength=1,default=main,description=Schema for the tables. It is made when it is not there."`
	Delete       string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	ReleaseAfter string `json:"release_after,omitempty" jsonschema:"default=1s,description=How long the file stays open after a write. While it is open no other process can read it. 0s closes it after every write."`
	MemoryLimit  string `json:"memory_limit,omitempty" jsonschema:"default=1GiB,description=Memory that DuckDB may use: a number with MiB or GiB."`
	Threads      int    `json:"threads,omitempty" jsonschema:"minimum=1,maximum=256,default=2,description=Threads that DuckDB may use."`
}

// duckDB is the destination.
type duckDB struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*duckDB)(nil)
	_ destination.Checker     = (*duckDB)(nil)
	_ destination.DryRunner   = (*duckDB)(nil)
)

// Describe implements [destination.Destination].
func (d *duckDB) Describe(context.Context) (destination.Description, error) {
	return sqlcore.Describe("duckdb", version, serve.Schema[settings]()), nil
}

var memory = regexp.MustCompile(`^[1-9][0-9]{0,5} ?[MG]i?B$`)

// Configure implements [destination.Destination]. It does not touch the file yet.
func (d *duckDB) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return err
	}
	o := options{schema: s.Schema, memory: s.MemoryLimit, threads: s.Threads, releaseAfter: time.Second}
	if s.Path == "" || strings.HasPrefix(s.Path, ":") || strings.ContainsAny(s.Path, "?%\x00") {
		return errors.New(`setting "path": give the path of a file, such as ./data/warehouse.duckdb, without ? and %`)
	}
	if o.path, err = filepath.Abs(s.Path); err != nil {
		return errors.New(`setting "path": give the whole path of the file`)
	}
	if o.schema == "" {
		o.schema = "main"
	}
	if strings.IndexByte(o.schema, 0) >= 0 {
		return errors.New(`setting "schema": it has a NUL character`)
	}
	if s.ReleaseAfter != "" {
		if o.releaseAfter, err = time.ParseDuration(s.ReleaseAfter); err != nil || o.releaseAfter < 0 {
			return errors.New(`setting "release_after": give a duration such as 1s or 0s`)
		}
	}
	if o.memory == "" {
		o.memory = "1GiB"
	}
	if !memory.MatchString(o.memory) {
		return errors.New(`setting "memory_limit": give a size such as 512MiB or 4GiB`)
	}
	if o.threads == 0 {
		o.threads = 2
	}
	if o.threads < 1 || o.threads > 256 {
		return errors.New(`setting "threads": use 1 to 256`)
	}
	hard, err := sqlcore.HardDelete(s.Delete)
	if err != nil {
		return err
	}
	d.db = newDatabase(o)
	d.Writer = sqlcore.NewWriter(d.db, sqlcore.Options{HardDelete: hard})
	return nil
}

// Check implements [destination.Checker]: the file can be opened and written. It
// makes an empty one if there is none.
func (d *duckDB) Check(ctx context.Context) error {
	if err := d.db.check(ctx); err != nil {
		return d.Failure("check", err)
	}
	return nil
}

// Close closes the file.
func (d *duckDB) Close() error {
	if d.db == nil {
		return nil
	}
	return d.db.close()
}
