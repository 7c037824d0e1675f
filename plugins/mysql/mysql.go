package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const version = "0.1.0"

// settings are what an operator writes under config.
type settings struct {
	URL            string `json:"url" jsonschema:"minLength=1,writeOnly=true,description=Address: mysql://user:password@host:3306/database?tls=true. A password with special characters is percent-encoded."`
	TablePrefix    string `json:"table_prefix,omitempty" jsonschema:"description=Put before the name of every table."`
	Delete         string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	MaxConnections int    `json:"max_connections,omitempty" jsonschema:"minimum=1,maximum=100,default=8,description=Connections at most. More than the destination's concurrency are not used."`
}

// mySQL is the destination.
type mySQL struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*mySQL)(nil)
	_ destination.Checker     = (*mySQL)(nil)
	_ destination.DryRunner   = (*mySQL)(nil)
)

// Describe implements [destination.Destination].
func (m *mySQL) Describe(context.Context) (destination.Description, error) {
	return sqlcore.Describe("mysql", version, serve.Schema[settings]()), nil
}

// Configure implements [destination.Destination]. It does not connect yet.
func (m *mySQL) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return err
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
	if len(s.TablePrefix) > 32 {
		return errors.New(`setting "table_prefix": use at most 32 bytes`)
	}
	if m.db, err = open(s); err != nil {
		return err
	}
	m.Writer = sqlcore.NewWriter(m.db, sqlcore.Options{HardDelete: hard, Prefix: s.TablePrefix})
	return nil
}

// Check implements [destination.Checker]: the server answers, takes writes, and
// lets us make tables in the database.
func (m *mySQL) Check(ctx context.Context) error {
	if err := m.db.check(ctx); err != nil {
		return m.Failure("check", err)
	}
	return nil
}

// Close gives the connections back.
func (m *mySQL) Close() error {
	if m.db == nil {
		return nil
	}
	return m.db.pool.Close()
}
