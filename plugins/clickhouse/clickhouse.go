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
	URL            string `json:"url" jsonschema:"minLength=1,writeOnly=true,description=Address for the native protocol: clickhouse://user:password@host:9440/database?secure=true. A password with special characters is percent-encoded."`
	TablePrefix    string `json:"table_prefix,omitempty" jsonschema:"description=Put before the name of every table."`
	MaxConnections int    `json:"max_connections,omitempty" jsonschema:"minimum=1,maximum=100,default=8,description=Connections at most. More than the destination's concurrency are not used."`
}

// clickHouse is the destination.
type clickHouse struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*clickHouse)(nil)
	_ destination.Checker     = (*clickHouse)(nil)
	_ destination.DryRunner   = (*clickHouse)(nil)
)

// Describe implements [destination.Destination].
func (c *clickHouse) Describe(context.Context) (destination.Description, error) {
	return sqlcore.Describe("clickhouse", version, serve.Schema[settings]()), nil
}

// Configure implements [destination.Destination]. It does not connect yet.
func (c *clickHouse) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
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
	if c.db, err = open(s); err != nil {
		return err
	}
	// Deleted rows stay: to remove one, ClickHouse writes the part that has it again.
	c.Writer = sqlcore.NewWriter(c.db, sqlcore.Options{Prefix: s.TablePrefix})
	return nil
}

// Check implements [destination.Checker]: the server answers and lets us make and
// fill tables in the database.
func (c *clickHouse) Check(ctx context.Context) error {
	if err := c.db.check(ctx); err != nil {
		return c.Failure("check", err)
	}
	return nil
}

// Close gives the connections back.
func (c *clickHouse) Close() error {
	if c.db == nil {
		return nil
	}
	return c.db.conn.Close()
}
