package plugintest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite
)

var drivers = map[string]string{"postgres": "pgx", "sqlite": "sqlite"}

func (s *SQL) check() error {
	switch {
	case drivers[s.Driver] == "":
		return fmt.Errorf("read.sql.driver: must be postgres or sqlite, not %q: for other databases use read.command", s.Driver)
	case s.URL == "" || len(s.Queries) == 0:
		return errors.New("read.sql: url and queries are required")
	}
	return nil
}

// rows runs the queries. A table that is not there has no rows.
func (s *SQL) rows(ctx context.Context, p place) ([]map[string]json.RawMessage, error) {
	url, err := p.fill(s.URL)
	if err != nil {
		return nil, err
	}
	queries, err := p.fillAll(s.Queries)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(drivers[s.Driver], url)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var all []map[string]json.RawMessage
	for _, query := range queries {
		rows, err := run(ctx, db, query)
		if err != nil && !missing(err) {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

func missing(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		const undefinedTable, undefinedSchema = "42P01", "3F000"
		return e.Code == undefinedTable || e.Code == undefinedSchema
	}
	return strings.Contains(err.Error(), "no such table") || strings.Contains(err.Error(), "unable to open database file")
}

func run(ctx context.Context, db *sql.DB, query string) ([]map[string]json.RawMessage, error) {
	found, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		return nil, err
	}
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	var rows []map[string]json.RawMessage
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]json.RawMessage{}
		if len(cells) == 1 {
			if err := json.Unmarshal([]byte(cells[0].String), &row); err != nil {
				return nil, fmt.Errorf("the only column is no JSON object: %w", err)
			}
		} else {
			for i, c := range cells {
				if c.Valid {
					row[columns[i]], _ = json.Marshal(c.String) // a text always marshals
				}
			}
		}
		rows = append(rows, row)
	}
	return rows, found.Err()
}
