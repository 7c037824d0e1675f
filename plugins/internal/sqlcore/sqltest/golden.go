package sqltest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

var update = flag.Bool("update", false, "write golden files")

// Golden compares the SQL of a dialect, one statement of each sort, with
// testdata/statements.sql of the package under test.
func Golden(t *testing.T, p Place, db sqlcore.Database) {
	t.Helper()
	dry := func(remove string, b destination.Batch) []string {
		runner, ok := p.Open(t, remove).(destination.DryRunner)
		if !ok {
			t.Fatal("no DryRunner")
		}
		lines, err := runner.DryRun(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	mixed := batch("invoices", put("a", 1, `{"amount":1,"extra":"x"}`), put("b", 1, `{"amount":2,"extra":"x"}`), put("c", 1, `{"memo":"m"}`))
	deleted := batch("invoices", put("a", 1, `{"amount":1}`), drop("b", 1, `{}`))
	change := put("a", 1, `{"amount":1}`)
	change.Operation = destination.Append
	changes := batch("invoices", change)
	changes.Mode = destination.ModeChanges
	add := sqlcore.Column{Name: "extra", Kind: sqlcore.JSON}
	removed := p.removes()[len(p.removes())-1]
	var b strings.Builder
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"records into a new table", dry("soft", mixed)},
		{"records, " + removed + " deletes", dry(removed, deleted)},
		{"changes", dry("soft", changes)},
		{"a new column", db.RenderAlteration("invoices", sqlcore.Alteration{Add: &add})},
		{"a wider column: number", db.RenderAlteration("invoices", sqlcore.Alteration{Widen: &sqlcore.Column{Name: "amount", Kind: sqlcore.Number}})},
		{"a wider column: boolean", db.RenderAlteration("invoices", sqlcore.Alteration{Widen: &sqlcore.Column{Name: "paid", Kind: sqlcore.Boolean}})},
		{"a wider column: timestamp", db.RenderAlteration("invoices", sqlcore.Alteration{Widen: &sqlcore.Column{Name: "due_at", Kind: sqlcore.Timestamp}})},
	} {
		b.WriteString("-- " + part.title + "\n\n" + strings.Join(part.lines, ";\n\n") + ";\n\n")
	}
	if rows := p.Rows(t, "invoices"); len(rows) > 0 {
		t.Errorf("the dry runs wrote %d rows", len(rows))
	}
	file := filepath.Join("testdata", "statements.sql")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs; run the test with -update and look at the difference. Got:\n%s", file, b.String())
	}
}

// Settings makes settings of a struct.
func Settings(t testing.TB, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
