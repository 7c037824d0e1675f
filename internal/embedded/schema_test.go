//go:build !slim

package embedded

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/server/schema/sqlite"
)

func TestMigrateUpgradesAnOlderFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "odd name?#%.db")
	if err := mainDatabase.migrate(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	fresh := tables(t, file)
	// Back to 0.10, before the last step of this version.
	execute(t, file, "DROP TABLE current_chasm_executions", "PRAGMA user_version = 10")
	if err := mainDatabase.migrate(t.Context(), file); err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	if got := tables(t, file); got != fresh {
		t.Errorf("tables after the upgrade:\n%s\nwant\n%s", got, fresh)
	}
	if err := mainDatabase.migrate(t.Context(), file); err != nil {
		t.Errorf("current file: %v", err)
	}
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		database   database
		statements []string
		want       string
	}{
		"a newer file":   {mainDatabase, []string{"PRAGMA user_version = 99"}, "has schema 0.99, this Sluice knows " + sqlite.Version},
		"a foreign file": {mainDatabase, []string{"PRAGMA user_version = 0"}, "was not made by Sluice"},
		"no upgrade":     {database{schema: visibilityDatabase.schema, version: "0.9"}, []string{"PRAGMA user_version = 1"}, "this Temporal has no upgrade"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "t.db")
			execute(t, file, append([]string{"CREATE TABLE t (a)"}, tt.statements...)...)
			err := tt.database.migrate(t.Context(), file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("migrate: %v, want %q", err, tt.want)
			}
		})
	}
}

// Rows without a value must not be in the index for it, also in a file that was
// made before; a search for a value must still find by the index.
func TestMigrateThinsOutIndexes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "v.db")
	for range 2 { // a new file, then one that has Temporal's own index back
		if err := visibilityDatabase.migrate(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		var whole, partial int
		if err := open(t, file).QueryRowContext(t.Context(), `SELECT count(*) FILTER (WHERE name = 'by_keyword_01' AND sql NOT LIKE '% WHERE Keyword01 IS NOT NULL'),
			count(*) FILTER (WHERE sql LIKE '% IS NOT NULL') FROM sqlite_master WHERE type = 'index'`).Scan(&whole, &partial); err != nil {
			t.Fatal(err)
		}
		if whole != 0 || partial < 40 {
			t.Errorf("%d whole indexes for the keyword, %d partial ones", whole, partial)
		}
		execute(t, file, "DROP INDEX by_keyword_01", "CREATE INDEX by_keyword_01 ON executions_visibility (namespace_id, Keyword01, start_time)")
	}
	if err := visibilityDatabase.migrate(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	var id, parent, unused int
	var plan string
	err := open(t, file).QueryRowContext(t.Context(), `EXPLAIN QUERY PLAN SELECT * FROM executions_visibility
		WHERE namespace_id = ? AND Keyword01 = ? AND TemporalNamespaceDivision IS NULL`, "n", "k").Scan(&id, &parent, &unused, &plan)
	if err != nil || !strings.Contains(plan, "by_keyword_01") {
		t.Errorf("plan %q, %v", plan, err)
	}
}

func open(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+uri(file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func execute(t *testing.T, file string, statements ...string) {
	t.Helper()
	db := open(t, file)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func tables(t *testing.T, file string) string {
	t.Helper()
	var out string
	err := open(t, file).QueryRowContext(t.Context(),
		"SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name)").Scan(&out)
	if err != nil {
		t.Fatal(fmt.Errorf("tables: %w", err))
	}
	return out
}
