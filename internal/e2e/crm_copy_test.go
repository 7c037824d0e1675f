package e2e

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// How DuckDB prints DECIMAL(38,18), and a moment.
var (
	fixed  = regexp.MustCompile(`^-?\d+\.\d{18}$`)
	moment = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00$`)
)

// copyTables writes tables of text into a SQLite file.
func copyTables(t *testing.T, source string, tables map[string][]map[string]string) {
	t.Helper()
	db, err := sql.Open("sqlite", source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do := func(query string, values ...any) {
		if _, err := tx.ExecContext(t.Context(), query, values...); err != nil {
			t.Fatal(err)
		}
	}
	for table, rows := range tables {
		columns := map[string]bool{}
		for _, row := range rows {
			for name := range row {
				columns[name] = true
			}
		}
		if len(columns) == 0 {
			continue
		}
		var names []string
		for name := range columns {
			names = append(names, name)
		}
		slices.Sort(names)
		do(fmt.Sprintf(`CREATE TABLE %q ("%s" TEXT)`, table, strings.Join(names, `" TEXT, "`)))
		insert := fmt.Sprintf(`INSERT INTO %q VALUES (?%s)`, table, strings.Repeat(", ?", len(names)-1))
		for _, row := range rows {
			values := make([]any, len(names))
			for i, name := range names {
				if value, ok := row[name]; ok {
					switch {
					case fixed.MatchString(value):
						value = shorten(value)
					case moment.MatchString(value):
						value = strings.TrimSuffix(value, "+00") + "Z"
					}
					values[i] = value
				}
			}
			do(insert, values...)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}
