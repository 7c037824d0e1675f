package demo

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/sandbox"
)

const rightRow = `INSERT INTO invoices VALUES ('1', 'XERO', 'I1', NULL, 'PAID', '12.50', NULL, '2026-03-01T10:00:00.000000Z', '[{"qty":1.10}]')`

// A comparison that cannot fail would prove nothing: each way in which a
// warehouse can be wrong must be seen.
func TestCompareSeesEveryDifference(t *testing.T) {
	expected := []sandbox.Record{{
		CompanyID: "1", Integration: "XERO", Model: "INVOICES", PlatformID: "I1",
		Fields: map[string]json.RawMessage{
			"status": json.RawMessage(`"PAID"`), "total": json.RawMessage(`12.50`), "memo": json.RawMessage(`null`),
			"due": json.RawMessage(`"2026-03-01T11:00:00+01:00"`), "lines": json.RawMessage(`[{"qty":1.10}]`),
		},
	}}
	for name, tt := range map[string]struct {
		rows string
		want string // in the difference; empty: none
	}{
		"equal":                     {rightRow, ""},
		"missing":                   {`DELETE FROM invoices`, "is missing"},
		"deleted":                   {rightRow + `; UPDATE invoices SET _deleted_at = 'x'`, "deleted is true"},
		"another text":              {rightRow + `; UPDATE invoices SET status = 'DRAFT'`, "status is DRAFT"},
		"the same number rewritten": {rightRow + `; UPDATE invoices SET total = '12.5'`, "total is 12.5"},
		"a null that is not":        {rightRow + `; UPDATE invoices SET memo = ''`, "memo is"},
		"a value that is null":      {rightRow + `; UPDATE invoices SET status = NULL`, "status is <nil>"},
		"another moment":            {rightRow + `; UPDATE invoices SET due = '2026-03-01T10:00:01.000000Z'`, "due is"},
		"another nested number":     {rightRow + `; UPDATE invoices SET lines = '[{"qty":1.1}]'`, "lines is"},
		"a row too many":            {rightRow + `; INSERT INTO invoices (_company_id, _integration_type, _platform_id) VALUES ('1', 'XERO', 'I2')`, "is not expected"},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "w.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(`CREATE TABLE invoices (_company_id TEXT, _integration_type TEXT, _platform_id TEXT,
				_deleted_at TEXT, status TEXT, total TEXT, memo TEXT, due TEXT, lines TEXT); ` + tt.rows); err != nil {
				t.Fatal(err)
			}
			got, err := Compare(t.Context(), db, SQLiteTable, expected)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(got.Differences, "\n")
			if got.OK() != (tt.want == "") || !strings.Contains(text, tt.want) {
				t.Errorf("ok=%v, differences %q; want %q", got.OK(), text, tt.want)
			}
		})
	}
	t.Run("a field that nothing expects", func(t *testing.T) {
		fewer := expected[0]
		fewer.Fields = map[string]json.RawMessage{"status": json.RawMessage(`"PAID"`)}
		row := map[string]any{"_deleted_at": nil, "status": "PAID", "total": "12.50"}
		if problem := compareRow(fewer, row); !strings.Contains(problem, "want nothing") {
			t.Errorf("problem %q", problem)
		}
	})
}

func TestPrepareEmptiesOnlyItsOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	for range 2 { // a new directory, then its own from before
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := prepare(filepath.Dir(dir)); err == nil {
		t.Error("a directory that is not of a demo was taken")
	}
}
