package sqltest

import (
	"database/sql"
	"encoding/json"
	"testing"

	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// Read reads rows with every value as text: a null is left out, and a string in a
// column of JSON comes without its quotes. It closes found.
func Read(t testing.TB, found *sql.Rows, columns []sqlcore.Column) []map[string]string {
	t.Helper()
	defer found.Close()
	var out []map[string]string
	for found.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, c := range columns {
			if cells[i].Valid {
				row[c.Name] = cells[i].String
				if c.Kind == sqlcore.JSON {
					row[c.Name] = unquoted(cells[i].String)
				}
			}
		}
		out = append(out, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Unfold gives rows of changes and events the fields of their body.
func Unfold(t testing.TB, rows []map[string]string) []map[string]string {
	t.Helper()
	for _, r := range rows {
		body, ok := r["body"]
		if !ok {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &fields); err != nil {
			t.Fatal(err)
		}
		for name, value := range fields {
			if string(value) != "null" {
				r[name] = unquoted(string(value))
			}
		}
	}
	return rows
}

// unquoted returns a JSON string as text, and other JSON as it is.
func unquoted(value string) string {
	var s string
	if json.Unmarshal([]byte(value), &s) == nil {
		return s
	}
	return value
}
