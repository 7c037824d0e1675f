package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile/parquettest"
)

func typed(b destination.Batch) destination.Batch {
	b.Types = map[string]destination.FieldType{
		"total": destination.TypeNumber, "paid": destination.TypeBoolean, "due": destination.TypeTimestamp, "memo": destination.TypeText,
	}
	return b
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasSuffix(name, lockName) {
			names = append(names, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// A write that comes again finds its file; its bytes stay as they are.
func TestParts(t *testing.T) {
	dir := t.TempDir()
	settings := map[string]any{"path": dir, "format": "parquet", "decimal": "20,2"}
	d := open(t, settings)
	b := typed(records(upsert("1", 1, `{"total":10.10,"paid":true,"due":"2026-03-01","memo":"m","x":[1]}`), remove("2", 3, `{"total":1}`)))
	write(t, d, b)
	names := list(t, dir)
	if len(names) != 1 || !strings.HasPrefix(names[0], "invoices/2026-03-01/") {
		t.Fatalf("files %v", names)
	}
	before, err := os.Stat(filepath.Join(dir, names[0]))
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, b)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, settings)
	write(t, d, b)
	after, err := os.Stat(filepath.Join(dir, names[0]))
	if err != nil || !os.SameFile(before, after) || len(list(t, dir)) != 1 {
		t.Errorf("the file was written again, or another one: %v", list(t, dir))
	}
	got := parquettest.Rows(t, []byte(read(t, dir, names[0])))
	if len(got) != 2 || got[0]["total"] != "1010e-2" || got[0]["due"] != "2026-03-01T00:00:00Z" || got[0]["x"] != "[1]" || got[1]["_deleted"] != "true" {
		t.Errorf("%v", got)
	}
	write(t, d, typed(records(upsert("1", 2, `{}`))))
	if n := len(list(t, dir)); n != 2 {
		t.Errorf("%d files", n)
	}
}

func TestDigitsThatDoNotFitAreRejected(t *testing.T) {
	for _, state := range []string{"log", "current"} {
		d := open(t, map[string]any{"path": t.TempDir(), "format": "parquet", "state": state, "decimal": "10,2", "refresh": "0s"})
		results, err := d.Write(t.Context(), typed(records(upsert("1", 1, `{"total":1.005}`), upsert("2", 1, `{"total":1.50}`))))
		if err != nil || results[0].Kind != destination.Rejected || !strings.Contains(results[0].Message, "total") || results[1].Kind != destination.Delivered {
			t.Errorf("%s: %v, %v", state, results, err)
		}
	}
}

// The file has the catalog's types after a restart too, before any batch.
func TestStateAsParquet(t *testing.T) {
	dir := t.TempDir()
	settings := map[string]any{"path": dir, "format": "parquet", "state": "current", "refresh": "0s", "delete": "soft", "decimal": "38,9"}
	d := open(t, settings)
	write(t, d, typed(records(upsert("1", 1, `{"total":10.10,"paid":"maybe"}`), remove("2", 3, `{"memo":"last"}`))))
	first := []byte(read(t, dir, "invoices.parquet"))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "invoices.parquet")); err != nil {
		t.Fatal(err)
	}
	d = open(t, settings)
	plain := records(upsert("3", 1, `{}`)) // without types, as an older Sluice may send
	write(t, d, plain)
	second := []byte(read(t, dir, "invoices.parquet"))
	if a, b := fmt.Sprint(parquettest.Types(t, first)), fmt.Sprint(parquettest.Types(t, second)); a != b || !strings.Contains(a, "total:DECIMAL(38,9)") || !strings.Contains(a, "_version:INT") {
		t.Errorf("%s\nand\n%s", a, b)
	}
	got := parquettest.Rows(t, second)
	if len(got) != 3 || got[0]["total"] != "10100000000e-9" || got[0]["_misfits"] != `{"paid":"maybe"}` ||
		got[1]["_deleted_at"] != "2026-03-01T23:30:00Z" || got[1]["memo"] != "last" || got[2]["_platform_id"] != "3" {
		t.Errorf("%v", got)
	}
	// Changes go to a folder beside it.
	write(t, d, changes(change("1", 9, `{"memo":null}`)))
	names := list(t, dir)
	found := 0
	for _, name := range names {
		if strings.HasPrefix(name, "invoices.log/") {
			found++
			if got := parquettest.Rows(t, []byte(read(t, dir, name))); len(got) != 1 || got[0]["_fields"] != `["memo"]` || got[0]["_sequence"] != "9" {
				t.Errorf("%v", got)
			}
		}
	}
	if found != 1 {
		t.Errorf("files %v", names)
	}
}
