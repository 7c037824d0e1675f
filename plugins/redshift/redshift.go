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
	URL            string `json:"url" jsonschema:"minLength=1,writeOnly=true,description=Connection string: postgres://user:password@workgroup.123456789012.eu-central-1.redshift-serverless.amazonaws.com:5439/dev?sslmode=verify-full."`
	Schema         string `json:"schema,omitempty" jsonschema:"minLength=1,default=rootfi,description=Schema for the tables. It is made when it is not there."`
	Delete         string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	MaxConnections int    `json:"max_connections,omitempty" jsonschema:"minimum=1,maximum=100,default=4,description=Connections at most. Writes take turns; more than the destination's concurrency are not used."`
}

// redshift is the destination.
type redshift struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*redshift)(nil)
	_ destination.Checker     = (*redshift)(nil)
	_ destination.DryRunner   = (*redshift)(nil)
)

// Describe implements [destination.Destination].
func (r *redshift) Describe(context.Context) (destination.Description, error) {
	return sqlcore.Describe("redshift", version, serve.Schema[settings]()), nil
}

// Configure implements [destination.Destination]. It does not connect yet.
func (r *redshift) Configure(_ context.Context, raw json.RawMessage) error {
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
		s.MaxConnections = 4
	}
	if s.MaxConnections < 1 || s.MaxConnections > 100 {
		return errors.New(`setting "max_connections": use 1 to 100`)
	}
	if r.db, err = open(s); err != nil {
		return err
	}
	r.Writer = sqlcore.NewWriter(r.db, sqlcore.Options{HardDelete: hard, Masked: true})
	return nil
}

// Check implements [destination.Checker]: the database answers and lets us make
// tables in the schema.
func (r *redshift) Check(ctx context.Context) error {
	if err := r.db.check(ctx); err != nil {
		return r.Failure("check", err)
	}
	return nil
}

// Close gives the connections back.
func (r *redshift) Close() error {
	if r.db != nil {
		r.db.pool.Close()
	}
	return nil
}
