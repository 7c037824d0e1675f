package part_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile/parquettest"
	"github.com/sluicehq/sluice/plugins/internal/part"
)

func record(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{id}, Operation: destination.Upsert, Version: version, IdempotencyKey: id + "@" + string(rune('0'+version)),
		OccurredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Origin:     destination.Origin{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	return r
}

func batch() destination.Batch {
	return destination.Batch{
		Mode: destination.ModeRecords, Object: "invoices", KeyFields: []string{"_platform_id"},
		Types: map[string]destination.FieldType{"total": destination.TypeNumber, "memo": destination.TypeText},
	}
}

func fill(t *testing.T, b destination.Batch, f part.Form, rs ...destination.Record) *part.Part {
	t.Helper()
	p := part.New(&b, f)
	for i := range rs {
		if err := p.Add(&rs[i]); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestJSONL(t *testing.T) {
	removed := record("b", 3, `{"memo":"last"}`)
	removed.Operation = destination.Delete
	p := fill(t, batch(), part.Form{}, removed, record("a", 2, `{"total":10.10,"memo":null,"_version":"x"}`), record("a", 1, `{"memo":"old"}`))
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	const rest = `"_occurred_at":"2026-03-01T12:00:00Z","_idempotency_key":"ID","_source":"rootfi","_company_id":"4711","_integration_type":"XERO","_model":"INVOICES",`
	want := `{"_platform_id":"a","_version":2,"_deleted":false,` + strings.Replace(rest, "ID", "a@2", 1) + `"_version_":"x","memo":null,"total":10.10}` + "\n" +
		`{"_platform_id":"b","_version":3,"_deleted":true,` + strings.Replace(rest, "ID", "b@3", 1) + `"memo":"last"}` + "\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// The name follows from the records: not from their order, and not from the time.
func TestID(t *testing.T) {
	one, two := record("a", 1, `{}`), record("b", 1, `{}`)
	newer, deleted := record("b", 2, `{}`), record("b", 1, `{}`)
	deleted.Operation = destination.Delete
	id := fill(t, batch(), part.Form{}, one, two).ID()
	if got := fill(t, batch(), part.Form{}, two, one, one).ID(); got != id {
		t.Error("another order has another id")
	}
	other := batch()
	other.Object = "bills"
	for name, p := range map[string]*part.Part{
		"fewer":     fill(t, batch(), part.Form{}, one),
		"newer":     fill(t, batch(), part.Form{}, one, newer),
		"operation": fill(t, batch(), part.Form{}, one, deleted),
		"object":    fill(t, other, part.Form{}, one, two),
	} {
		if p.ID() == id {
			t.Errorf("%s: the same id", name)
		}
	}
}

// Files of one object have the same columns, whatever their records have.
func TestParquetHasTheColumnsOfTheCatalog(t *testing.T) {
	schema := func(rs ...destination.Record) string {
		var b bytes.Buffer
		if err := fill(t, batch(), part.Form{Parquet: true}, rs...).Write(&b); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(parquettest.Types(t, b.Bytes()))
	}
	if a, b := schema(record("a", 1, `{}`)), schema(record("b", 1, `{"memo":"m","total":1}`)); a != b {
		t.Errorf("%s\nand\n%s", a, b)
	}
	if s := schema(record("a", 1, `{"title":"t"}`)); !strings.Contains(s, "title:JSON") {
		t.Errorf("a field that the catalog does not know: %s", s)
	}
}

func TestRefused(t *testing.T) {
	decimal, err := parquetfile.ParseDecimal("10,2")
	if err != nil {
		t.Fatal(err)
	}
	b := batch()
	p := part.New(&b, part.Form{Parquet: true, Decimal: decimal})
	short, odd, broken := record("a", 1, `{}`), record("a", 1, `{}`), record("a", 1, `{}`)
	short.Key, odd.Operation, broken.Fields = nil, destination.Append, map[string]json.RawMessage{"memo": json.RawMessage(`{"SECRET`)}
	digits := record("a", 1, `{"total":1.005}`)
	for name, r := range map[string]destination.Record{"key": short, "operation": odd, "JSON": broken, `"total": the number has too many digits`: digits} {
		if err := p.Add(&r); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "1.005") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p.Len() != 0 {
		t.Errorf("%d rows", p.Len())
	}
}
