package pgtest

import (
	"encoding/json"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Rows reads a table with every value as text; null is left out. A table that is
// not there has no rows.
func Rows(t testing.TB, url, schema, table string) []map[string]string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var exists bool
	if err := c.QueryRow(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2)", schema, table).Scan(&exists); err != nil {
		t.Fatal(err)
	}
	if !exists {
		return nil
	}
	found, err := c.Query(t.Context(), "SELECT to_jsonb(t)::text FROM "+pgx.Identifier{schema, table}.Sanitize()+" t ORDER BY t")
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, text := range list {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &members); err != nil {
			t.Fatal(err)
		}
		out = append(out, texts(members))
	}
	return out
}

func texts(members map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for name, value := range members {
		var s string
		switch {
		case string(value) == "null":
		case json.Unmarshal(value, &s) == nil:
			out[name] = s
		default:
			out[name] = string(value)
		}
	}
	return out
}
