package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

func records(fields string) destination.Batch {
	r := destination.Record{Key: []string{"4711", "XERO", "a"}, Operation: destination.Upsert, Version: 1, IdempotencyKey: "a"}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return destination.Batch{
		Mode: destination.ModeRecords, Object: "invoices",
		KeyFields: []string{"_company_id", "_integration_type", "_platform_id"}, Records: []destination.Record{r},
	}
}

func TestWhatIsWrongWithTheFile(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte("this is no database, and long enough for a header of one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, code string }{
		"a directory":       {dir, "SQLITE_CANTOPEN"},
		"a file on the way": {filepath.Join(text, "x", "warehouse.db"), "DIRECTORY"},
		"no database":       {text, "SQLITE_NOTADB"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, settings{Path: tt.path})
			_, write := s.Write(t.Context(), records(`{"memo":"m"}`))
			for method, err := range map[string]error{"check": s.Check(t.Context()), "write": write} {
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != destination.Misconfigured || f.Code != tt.code {
					t.Errorf("%s: got %+v, want misconfigured %s", method, err, tt.code)
				}
			}
		})
	}
}

// A number stays the text that it came as, and SQL can still calculate.
func TestNumbersAreText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.db")
	s := start(t, settings{Path: path, TablePrefix: "rootfi_"})
	const number = "1234567890123456789012345678.9012345670"
	if _, err := s.Write(t.Context(), records(`{"amount":`+number+`,"small":1.10,"paid":true}`)); err != nil {
		t.Fatal(err)
	}
	d, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.pool.Close()
	var amount, kind, paid string
	var sum float64
	if err := d.pool.QueryRow("SELECT amount, typeof(small), typeof(paid), small + 1 FROM rootfi_invoices WHERE paid").Scan(&amount, &kind, &paid, &sum); err != nil {
		t.Fatal(err)
	}
	if amount != number || kind != "text" || paid != "integer" || sum != 2.1 {
		t.Errorf("%s %s %s %v", amount, kind, paid, sum)
	}
}

func TestBadSettings(t *testing.T) {
	for name, raw := range map[string]string{
		"no path": `{}`, "empty path": `{"path":""}`, "memory": `{"path":":memory:"}`, "uri": `{"path":"file:x.db"}`, "delete": `{"path":"x.db","delete":"maybe"}`,
	} {
		s := &sqlite{}
		if err := s.Configure(t.Context(), json.RawMessage(raw)); err == nil {
			t.Errorf("%s: accepted", name)
			_ = s.Close()
		}
	}
}
