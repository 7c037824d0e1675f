package postgres

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errURL replaces the parser's error, which could quote the password.
var errURL = errors.New("ledger.postgres.url is not a PostgreSQL connection string: write postgres://user:password@host:5432/database")

// What bounds the harm of an instance that stands still in the middle of a
// transaction (SIGSTOP, a frozen virtual machine): the server ends its session,
// and with it its locks.
const (
	idleInTransaction = "15s"
	lockPatience      = "30s"
	connectPatience   = 5 * time.Second
)

// reserved connections are those of the writer and of the news.
const reserved = 2

func poolConfig(o Options) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(o.URL)
	if err != nil || o.URL == "" {
		return nil, errURL
	}
	c.MaxConns = int32(max(o.MaxConnections-reserved, 2))
	c.MinConns = 0
	c.MaxConnIdleTime = 5 * time.Minute
	if c.ConnConfig.ConnectTimeout == 0 {
		c.ConnConfig.ConnectTimeout = connectPatience
	}
	p := c.ConnConfig.RuntimeParams
	if p["application_name"] == "" {
		p["application_name"] = "sluice ledger"
	}
	p["search_path"] = pgx.Identifier{o.Schema}.Sanitize()
	p["timezone"] = "UTC"
	p["default_transaction_isolation"] = "read committed"
	p["synchronous_commit"] = "on"
	p["idle_in_transaction_session_timeout"] = idleInTransaction
	p["lock_timeout"] = lockPatience
	return c, nil
}
