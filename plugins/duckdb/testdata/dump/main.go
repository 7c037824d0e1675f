// Command dump prints the tables of a DuckDB file as JSON, every value as text. It
// is for tests of programs that cannot link DuckDB.
package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"

	_ "github.com/duckdb/duckdb-go/v2"
)

func main() {
	tables, err := read(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(tables)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dump:", err)
		os.Exit(1)
	}
}

// read returns rows by table; null is left out.
func read(path string) (map[string][]map[string]string, error) {
	db, err := sql.Open("duckdb", path+"?access_mode=READ_ONLY")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`SET TimeZone = 'UTC'`); err != nil {
		return nil, err
	}
	names, err := strings(db, `SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'`)
	if err != nil {
		return nil, err
	}
	out := map[string][]map[string]string{}
	for _, name := range names {
		if out[name], err = rows(db, name); err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
	}
	return out, nil
}

func strings(db *sql.DB, query string) ([]string, error) {
	found, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var out []string
	for found.Next() {
		var s string
		if err := found.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, found.Err()
}

func rows(db *sql.DB, table string) ([]map[string]string, error) {
	found, err := db.Query(`SELECT COLUMNS(*)::VARCHAR FROM "` + table + `"`)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		return nil, err
	}
	out := []map[string]string{}
	for found.Next() {
		values := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := found.Scan(targets...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, name := range columns {
			if values[i].Valid {
				row[name] = values[i].String
			}
		}
		out = append(out, row)
	}
	return out, found.Err()
}
