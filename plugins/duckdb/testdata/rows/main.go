// Command rows prints the rows of an object in a DuckDB file as JSON, with every
// value as text: those of its table, and those of its changes.
//
//	rows FILE OBJECT
package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"
)

func main() {
	all := []map[string]string{}
	for _, table := range []string{os.Args[2], os.Args[2] + "_changes"} {
		rows, err := read(os.Args[1], table)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		all = append(all, rows...)
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		os.Exit(1)
	}
}

func read(file, table string) (out []map[string]string, err error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	db, err := sql.Open("duckdb", file+"?access_mode=read_only")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := db.Query(`SELECT COLUMNS(*)::VARCHAR FROM "` + strings.ReplaceAll(table, `"`, `""`) + `"`)
	if err != nil {
		if strings.Contains(err.Error(), "does not exist") {
			return nil, nil
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	names, err := found.Columns()
	if err != nil {
		return nil, err
	}
	for found.Next() {
		cells, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, name := range names {
			if cells[i].Valid {
				row[name] = cells[i].String
			}
		}
		out = append(out, row)
	}
	return out, found.Err()
}
