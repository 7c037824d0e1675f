package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const version = "0.1.0"

// settings are what an operator writes under config.
type settings struct {
	URL            string `json:"url" jsonschema:"minLength=1,writeOnly=true,description=Connection string: postgres://user:password@host:5432/database?sslmode=verify-full or the key=value form."`
	Schema         string `json:"schema,omitempty" jsonschema:"minLength=1,default=rootfi,description=Schema for the tables. It is made when it is not there."`
	Delete         string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	MaxConnections int    `json:"max_connections,omitempty" jsonschema:"minimum=1,maximum=100,default=8,description=Connections at most. More than the destination's concurrency are not used."`
}

// postgres is the destination.
type postgres struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*postgres)(nil)
	_ destination.Checker     = (*postgres)(nil)
	_ destination.DryRunner   = (*postgres)(nil)
)

// Describe implements [destination.Destination].
func (p *postgres) Describe(context.Context) (destination.Description, error) {
	return sqlcore.Describe("postgres", version, serve.Schema[settings]()), nil
}

// Configure implements [destination.Destination]. It does not connect yet.
func (p *postgres) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return err
	}
	if s.Schema == "" {
		s.Schema = "rootfi"
	}
	if len(s.Schema) > maxName || strings.IndexByte(s.Schema, 0) >= 0 {
		return fmt.Errorf(`setting "schema": use a name of at most %d bytes`, maxName)
	}
	hard, err := sqlcore.HardDelete(s.Delete)
	if err != nil {
		return err
	}
	if s.MaxConnections == 0 {
		s.MaxConnections = 8
	}
	if s.MaxConnections < 1 || s.MaxConnections > 100 {
		return errors.New(`setting "max_connections": use 1 to 100`)
	}
	if p.db, err = open(s); err != nil {
		return err
	}
	p.Writer = sqlcore.NewWriter(p.db, sqlcore.Options{HardDelete: hard})
	return nil
}

// Check implements [destination.Checker]: the database answers, takes writes, and
// lets us make tables in the schema.
func (p *postgres) Check(ctx context.Context) error {
	if err := p.db.check(ctx); err != nil {
		return p.Failure("check", err)
	}
	return nil
}

// Close gives the connections back.
func (p *postgres) Close() error {
	if p.db != nil {
		p.db.pool.Close()
	}
	return nil
}
