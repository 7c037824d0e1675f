package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

const version = "0.1.0"

// settings are what an operator writes under config.
type settings struct {
	Account    string `json:"account" jsonschema:"minLength=1,description=Account identifier: organization-account\\, such as myorg-prod."`
	User       string `json:"user" jsonschema:"minLength=1,description=User with a public key."`
	PrivateKey string `json:"private_key" jsonschema:"minLength=1,writeOnly=true,description=The user's RSA key as PEM\\, not encrypted."`
	Database   string `json:"database" jsonschema:"minLength=1,description=Database of the schema. It must be there."`
	Schema     string `json:"schema,omitempty" jsonschema:"minLength=1,default=rootfi,description=Schema for the tables. It is made when it is not there."`
	Warehouse  string `json:"warehouse,omitempty" jsonschema:"description=Warehouse that does the work; the default is that of the user."`
	Role       string `json:"role,omitempty" jsonschema:"description=Role; the default is that of the user."`
	Delete     string `json:"delete,omitempty" jsonschema:"enum=soft,enum=hard,default=soft,description=soft keeps the row of a deleted record and sets _deleted_at; hard removes it."`
	BaseURL    string `json:"base_url,omitempty" jsonschema:"description=Address of the account; the default is https://ACCOUNT.snowflakecomputing.com."`
}

// snowflake is the destination.
type snowflake struct {
	*sqlcore.Writer // Write and DryRun; nil before Configure

	db *database
}

var (
	_ destination.Destination = (*snowflake)(nil)
	_ destination.Checker     = (*snowflake)(nil)
	_ destination.DryRunner   = (*snowflake)(nil)
)

// maxBatchBytes keeps the rows of a batch below the 16 MB of a text.
const maxBatchBytes = 4 << 20

// Describe implements [destination.Destination].
func (s *snowflake) Describe(context.Context) (destination.Description, error) {
	d := sqlcore.Describe("snowflake", version, serve.Schema[settings]())
	d.MaxBatchBytes = maxBatchBytes
	return d, nil
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,250}$`)

// Configure implements [destination.Destination]. It does not connect yet.
func (s *snowflake) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := serve.Decode[settings](raw)
	if err != nil {
		return err
	}
	if !accountName.MatchString(o.Account) {
		return errors.New(`setting "account": write the account identifier, such as myorg-prod`)
	}
	if o.User == "" || o.Database == "" {
		return errors.New(`settings "user" and "database": both are needed`)
	}
	if o.Schema == "" {
		o.Schema = "rootfi"
	}
	if o.BaseURL == "" {
		o.BaseURL = "https://" + strings.ToLower(strings.ReplaceAll(o.Account, "_", "-")) + ".snowflakecomputing.com"
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return errors.New(`setting "base_url": write an address such as https://myorg-prod.snowflakecomputing.com`)
	}
	hard, err := sqlcore.HardDelete(o.Delete)
	if err != nil {
		return err
	}
	key, err := newKey(o)
	if err != nil {
		return err
	}
	s.db = newDatabase(o, base, key)
	s.Writer = sqlcore.NewWriter(s.db, sqlcore.Options{HardDelete: hard, Masked: true})
	return nil
}

// Check implements [destination.Checker]: the key is accepted, the warehouse works,
// and the schema is there or can be made.
func (s *snowflake) Check(ctx context.Context) error {
	if err := s.db.ensureSchema(ctx); err != nil {
		return s.Failure("check", err)
	}
	if _, err := s.db.client.run(ctx, statement{sql: "SELECT CURRENT_TIMESTAMP() AS now"}); err != nil {
		return s.Failure("check", err)
	}
	return nil
}

// Close gives the connections back.
func (s *snowflake) Close() error {
	if s.db != nil {
		s.db.client.http.CloseIdleConnections()
	}
	return nil
}
