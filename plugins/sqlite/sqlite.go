package main

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const version = "0.1.0"

// settings are what an operator writes under config.
type settings struct {
	Path        string `json:"path" jsonschema:"minLength=1,description=The database file. It and its directories are made when they are not there."`
	Delete      string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	TablePrefix string `json:"table_prefix,omitempty" jsonschema:"description=Put before the name of every table."`
}

// sqlite is the destination.
type sqlite struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*sqlite)(nil)
	_ destination.Checker     = (*sqlite)(nil)
	_ destination.DryRunner   = (*sqlite)(nil)
)

// Describe implements [destination.Destination].
func (s *sqlite) Describe(context.Context) (destination.Description, error) {
	return sqlcore.Describe("sqlite", version, serve.Schema[settings]()), nil
}

// Configure implements [destination.Destination]. It does not touch the file yet.
func (s *sqlite) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := serve.Decode[settings](raw)
	if err != nil {
		return err
	}
	if o.Path == "" || strings.HasPrefix(o.Path, ":") || strings.HasPrefix(o.Path, "file:") || strings.IndexByte(o.Path, 0) >= 0 {
		return errors.New(`setting "path": give the path of a file, such as ./data/warehouse.db`)
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return errors.New(`setting "path": give the whole path of the file`)
	}
	hard, err := sqlcore.HardDelete(o.Delete)
	if err != nil {
		return err
	}
	if s.db, err = open(path); err != nil {
		return err
	}
	s.Writer = sqlcore.NewWriter(s.db, sqlcore.Options{HardDelete: hard, Prefix: o.TablePrefix})
	return nil
}

// Check implements [destination.Checker]: the file can be opened and written. It
// makes an empty one if there is none.
func (s *sqlite) Check(ctx context.Context) error {
	if err := s.db.check(ctx); err != nil {
		return s.Failure("check", err)
	}
	return nil
}

// Close closes the file.
func (s *sqlite) Close() error {
	if s.db == nil {
		return nil
	}
	return s.db.pool.Close()
}
