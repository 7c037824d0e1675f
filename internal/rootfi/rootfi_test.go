package rootfi_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/rootfi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var received = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func parse(t testing.TB, body string) event.Event {
	t.Helper()
	ev, err := rootfi.Parse("rootfi", []byte(body), received)
	if err != nil {
		t.Fatalf("Parse(%q): %v", body, err)
	}
	return ev
}

// describe prints everything that Parse and Changes say of a body.
func describe(t *testing.T, ev event.Event) string {
	var b strings.Builder
	line := func(name string, value any) {
		if s := fmt.Sprint(value); s != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, s)
		}
	}
	line("kind", ev.Kind)
	line("format", ev.Format)
	line("id", ev.ID)
	line("hashed", ev.HashedID)
	if !ev.CreatedAt.IsZero() {
		line("created", ev.CreatedAt.Format(time.RFC3339Nano))
	}
	line("company", ev.CompanyID)
	line("integration", ev.Integration)
	line("model", ev.Model)
	line("operation", ev.Operation)
	line("sync", ev.SyncID)
	line("job", ev.JobID)
	line("status", ev.Status)
	line("sync type", ev.SyncType)
	line("records", ev.Records)

	ev.Seq = 7
	changes, unkeyed, err := rootfi.Changes(ev)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		fmt.Fprintf(&b, "change       %s %s at %d/%d/%d\n", c.Operation, c.Key, c.Stamp.At, c.Stamp.Seq, c.Stamp.Index)
		for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
			fmt.Fprintf(&b, "  %s = %s\n", name, c.Fields[name])
		}
	}
	for _, u := range unkeyed {
		fmt.Fprintf(&b, "unkeyed      %d: %s\n", u.Index, u.Reason)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test bodies: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := describe(t, parse(t, string(body)))
			golden := strings.TrimSuffix(file, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (run go test -update and look at the difference)", err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestParseRefusesOnlyWhatIsNotJSON(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":           "",
		"white space":       " \n",
		"only a mark":       "\ufeff",
		"plain text":        "hello 4111111111111111",
		"form":              "a=b&c=d",
		"cut short":         `{"webhook_type":"DATA_MODEL_CHANGES","data":[{"platform_id":"A"`,
		"something behind":  `{"webhook_type":"SYNC_COMPLETED"} {"a":1}`,
		"a comment":         `{"a":1} // b`,
		"a trailing comma":  `{"a":1,}`,
		"a raw line break":  "{\"a\":\"b\nc\"}",
		"not a number":      `{"a":NaN}`,
		"a leading zero":    `{"a":01}`,
		"nested too deep":   strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		"UTF-16":            "\xff\xfe{\x00}\x00",
		"two marks":         "\ufeff\ufeff{}",
		"a bad escape":      `{"a":"\x"}`,
		"a NUL at the end":  "{}\x00",
		"single quotes":     `{'a':1}`,
		"unquoted name":     `{a:1}`,
		"unfinished string": `"abc`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rootfi.Parse("rootfi", []byte(body), received)
			if !errors.Is(err, rootfi.ErrNotJSON) {
				t.Fatalf("err = %v, want ErrNotJSON", err)
			}
			if len(body) > 4 && strings.Contains(err.Error(), body[:4]) {
				t.Errorf("the error quotes the body: %v", err)
			}
		})
	}
}

func TestParseKeepsJSONOfAnyShape(t *testing.T) {
	deep := strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000)
	for name, body := range map[string]string{
		"null":            "null",
		"number":          " 17 ",
		"string":          `"webhook_type"`,
		"empty object":    "{}",
		"list":            `[1,2]`,
		"deep":            deep,
		"other product":   `{"eventType":"user.created","data":{"id":1},"timestamp":1,"signature":"x"}`,
		"names of a type": `{"webhook_type":{"a":1},"company_id":[1],"data_model":3,"type":null}`,
		"v2 without type": `{"company_id":1,"data_model":"INVOICES","data":{"platform_id":"A"}}`,
		"case of a name":  `{"Webhook_Type":"SYNC_COMPLETED"}`,
		"empty dotted":    `{"event":".create","company_id":1,"data":[]}`,
		"control in key":  `{"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"data_model":"A\u0000B","type":"UPDATE","data":[]}`,
		"huge model":      `{"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"data_model":"` + strings.Repeat("A", 201) + `","type":"UPDATE","data":[]}`,
		"NUL in company":  `{"webhook_type":"DATA_MODEL_CHANGES","company_id":"\u0000","data_model":"ITEMS","type":"UPDATE","data":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			ev := parse(t, body)
			if ev.Kind != event.KindUnknown {
				t.Errorf("kind = %s, want unknown", ev.Kind)
			}
			if !ev.HashedID || !strings.HasPrefix(ev.ID, "sha256:") || len(ev.ID) != 7+32 {
				t.Errorf("id = %q, hashed %v", ev.ID, ev.HashedID)
			}
			if string(ev.Body) != body || !ev.ReceivedAt.Equal(received) || ev.Source != "rootfi" {
				t.Error("body, source and time are not kept")
			}
			changes, unkeyed, err := rootfi.Changes(ev)
			if len(changes)+len(unkeyed) != 0 || err != nil {
				t.Errorf("changes of an unknown event: %v, %v, %v", changes, unkeyed, err)
			}
		})
	}
}

func TestEventID(t *testing.T) {
	const hashed = ""
	for name, tt := range map[string]struct{ id, want string }{
		"string":         {`"q7ZtL0dPa2XkR9e"`, "q7ZtL0dPa2XkR9e"},
		"number":         {`9007199254740993`, "9007199254740993"},
		"exact text":     {`1.50`, "1.50"},
		"escapes":        {`"a\u00e9\/b"`, "aé/b"},
		"null":           {`null`, hashed},
		"empty":          {`""`, hashed},
		"blank":          {`"  "`, hashed},
		"object":         {`{"a":1}`, hashed},
		"control":        {`"a\nb"`, hashed},
		"longest":        {`"` + strings.Repeat("x", 200) + `"`, strings.Repeat("x", 200)},
		"too long":       {`"` + strings.Repeat("x", 201) + `"`, hashed},
		"a lone half":    {`"\ud800"`, "\ufffd"},
		"C1 control":     {`"\u0085"`, hashed},
		"not even UTF-8": {"\"\xff\"", "\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			ev := parse(t, `{"webhook_type":"SYNC_COMPLETED","rootfi_id":`+tt.id+`}`)
			if ev.HashedID != (tt.want == hashed) || !ev.HashedID && ev.ID != tt.want {
				t.Errorf("id = %q (hashed %v), want %q", ev.ID, ev.HashedID, tt.want)
			}
		})
	}
	if a, b := parse(t, `{"a":1}`), parse(t, `{"a": 1}`); a.ID == b.ID {
		t.Error("different bodies have one id")
	}
	if a, b := parse(t, `{"a":1}`), parse(t, `{"a":1}`); a.ID != b.ID {
		t.Error("equal bodies have two ids")
	}
}

func TestCreatedAt(t *testing.T) {
	day := time.Date(2025, 3, 9, 0, 0, 0, 0, time.UTC)
	at := day.Add(6*time.Hour + 12*time.Minute + 44*time.Second)
	for in, want := range map[string]time.Time{
		`"2025-03-09T06:12:44.102Z"`:      at.Add(102 * time.Millisecond),
		`"2025-03-09T06:12:44Z"`:          at,
		`"2025-03-09T08:12:44+02:00"`:     at,
		`"2025-03-09T06:12:44.123456"`:    at.Add(123456 * time.Microsecond),
		`"2025-03-09 06:12:44"`:           at,
		`"2025-03-09"`:                    day,
		`"2025-03-09T06:12:44.1234567Z" `: at.Add(123456700 * time.Nanosecond),
		`"yesterday"`:                     {},
		`""`:                              {},
		`1741500764`:                      {},
		`null`:                            {},
		`"2025-02-30"`:                    {},
	} {
		ev := parse(t, `{"webhook_type":"SYNC_COMPLETED","created_at":`+in+`}`)
		if !ev.CreatedAt.Equal(want) {
			t.Errorf("created_at %s: %v, want %v", in, ev.CreatedAt, want)
		}
		if ev.CreatedAt.Location() != time.UTC {
			t.Errorf("created_at %s is not in UTC", in)
		}
	}
	ev := parse(t, `{"webhook_type":"SYNC_COMPLETED","created_at":null,"rootfi_created_at":"2025-03-09"}`)
	if !ev.CreatedAt.Equal(day) {
		t.Errorf("rootfi_created_at alone: %v", ev.CreatedAt)
	}
}

func TestOneRecordHasOneKeyOverAllGenerations(t *testing.T) {
	const want = "rootfi/4711/XERO/INVOICES/INVOICES_243"
	for _, body := range []string{
		`{"company_id":4711,"data_model":"INVOICES","integration_type":"XERO","type":"CREATE","data":{"platform_id":"INVOICES_243"}}`,
		`{"webhook_type":"DATA_MODEL_CHANGES","company_id":4711,"data_model":"INVOICES","integration_type":"XERO","type":"update","data":[{"platform_id":"INVOICES_243"}]}`,
		`{"webhook_type":"data_model_changes","company_id":"4711","data_model":"invoice","integration_type":"xero","type":"UPDATE","data":[{"platform_id":"INVOICES_243"}]}`,
		`{"event":"invoice.delete","company_id":4711,"integration":"Xero","data":[{"platform_id":"INVOICES_243"}]}`,
		`{"eventType":"DATA_MODEL_CHANGES","event":"invoice.create","company_id":4711,"integrationType":"XERO","data":[{"platform_id":"INVOICES_243"}]}`,
		"\ufeff" + `{"eventType":"DATA_MODEL_CHANGES","companyId":4711,"dataModel":"INVOICE","operation":"CREATE","integration":"XERO","data":{"platform_id":"INVOICES_243"}}` + "\n",
	} {
		ev := parse(t, body)
		changes, unkeyed, err := rootfi.Changes(ev)
		if err != nil || len(changes) != 1 || len(unkeyed) != 0 {
			t.Errorf("%s: %v, %v, %v", body, changes, unkeyed, err)
			continue
		}
		if got := changes[0].Key.String(); got != want {
			t.Errorf("%s: key %s, want %s", body, got, want)
		}
	}
}

func TestRecordCountIsCountedNotBelieved(t *testing.T) {
	for data, want := range map[string]int{
		`[]`:                              0,
		`[ ]`:                             0,
		`[{}]`:                            1,
		`[{"a":"]},{\"\\"} , [1,[2]] ,3]`: 3,
		`["\\\"","\\"]`:                   2,
		`null`:                            0,
		`{}`:                              1,
		`[true,false,null,-1.5e+3]`:       4,
	} {
		ev := parse(t, `{"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"data_model":"ITEMS","type":"UPDATE","no_of_records":99,"data":`+data+`}`)
		if ev.Kind != event.KindDataModelChanges || ev.Records != want {
			t.Errorf("data %s: kind %s, %d records, want %d", data, ev.Kind, ev.Records, want)
		}
	}
	ev := parse(t, `{"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"data_model":"ITEMS","type":"UPDATE"}`)
	if ev.Kind != event.KindDataModelChanges || ev.Records != 0 {
		t.Errorf("without data: kind %s, %d records", ev.Kind, ev.Records)
	}
}

func TestChangesOfWhatTheLedgerCannotGiveBack(t *testing.T) {
	data := event.Event{Kind: event.KindDataModelChanges, Source: "rootfi", CompanyID: "1", Model: "ITEMS"}
	for name, body := range map[string]string{"purged": "", "not JSON": "{", "not an object": "[]", "data is text": `{"data":"x"}`} {
		ev := data
		ev.Body = []byte(body)
		if _, _, err := rootfi.Changes(ev); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestInvalidUTF8IsReplaced(t *testing.T) {
	ev := parse(t, "{\"webhook_type\":\"DATA_MODEL_CHANGES\",\"company_id\":1,\"data_model\":\"ITEMS\",\"type\":\"UPDATE\",\"data\":[{\"platform_id\":\"A\xff\",\"n\xfeme\":\"\xc3(\"}]}")
	changes, _, err := rootfi.Changes(ev)
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	if got := changes[0].Key.PlatformID; got != "A\ufffd" {
		t.Errorf("platform id %q", got)
	}
	if got := string(changes[0].Fields["n\ufffdme"]); got != "\"\ufffd(\"" {
		t.Errorf("fields %v", changes[0].Fields)
	}
}

func TestCatalog(t *testing.T) {
	var catalog rootfi.Catalog
	names := catalog.Models()
	if len(names) != 75 || !slices.IsSorted(names) {
		t.Errorf("%d models, sorted %v", len(names), slices.IsSorted(names))
	}
	types := []rootfi.FieldType{rootfi.Boolean, rootfi.Number, rootfi.Timestamp, rootfi.Text, rootfi.JSON}
	for _, name := range names {
		m, ok := catalog.Lookup(name)
		if !ok || m.Name != name || m.Category == "" {
			t.Errorf("Lookup(%s) = %+v, %v", name, m, ok)
		}
		for field, typ := range m.Fields {
			if !slices.Contains(types, typ) {
				t.Errorf("%s.%s has type %q", name, field, typ)
			}
		}
		for field, target := range m.References {
			if _, ok := m.Fields[field]; !ok {
				t.Errorf("%s: reference of unknown field %s", name, field)
			}
			if _, ok := catalog.Lookup(target); !ok {
				t.Errorf("%s.%s refers to unknown model %s", name, field, target)
			}
		}
	}
	invoices, _ := catalog.Lookup("INVOICES")
	for field, want := range map[string]rootfi.FieldType{
		"platform_id": rootfi.Text, "rootfi_id": rootfi.Number, "total_amount": rootfi.Number,
		"posted_date": rootfi.Timestamp, "line_items": rootfi.JSON, "raw_data": rootfi.JSON, "status": rootfi.Text,
	} {
		if got := invoices.Fields[field]; got != want {
			t.Errorf("INVOICES.%s is %q, want %q", field, got, want)
		}
	}
	if invoices.References["contact_id"] != "CONTACTS" {
		t.Errorf("INVOICES refers to %v", invoices.References)
	}
	payments, _ := catalog.Lookup("BILL_PAYMENTS")
	if payments.Fields["amount"] != rootfi.Number || payments.Fields["currency_rate"] != rootfi.Number {
		t.Error("amounts that the SDK types as strings are not numbers")
	}
	if _, ok := catalog.Lookup("CUSTOM_ACCOUNT_TRANSACTIONS"); ok {
		t.Error("a custom model is in the catalog")
	}
}

func invoiceBody(records int) []byte {
	var data []json.RawMessage
	for i := range records {
		data = append(data, json.RawMessage(fmt.Sprintf(`{"platform_id":"INVOICES_%d","rootfi_id":%d,"rootfi_company_id":4711,"document_number":"INV-%05d","status":"SUBMITTED","contact_id":"CONTACTS_77","currency_id":"CURRENCIES_EUR","total_amount":1250.50,"sub_total":1050.84,"tax_amount":199.66,"amount_due":0.00,"posted_date":"2025-03-01T00:00:00.000Z","due_date":"2025-03-31T00:00:00.000Z","memo":null,"line_items":[{"item_id":"ITEMS_1","quantity":2,"unit_amount":525.42,"total_amount":1050.84,"tax_id":"TAX_1","account_id":"ACCOUNTS_4000"}]}`, i, 1000+i, i)))
	}
	body, _ := json.Marshal(map[string]any{
		"rootfi_id": "q7ZtL0dPa2XkR9e", "created_at": "2025-03-09T06:12:44.102Z", "company_id": 4711, "integration_type": "XERO",
		"job_id": "Hc81mVs0wYbT4uL", "sync_id": "n5Kq2Xe7rWfD1aZ", "data_model": "INVOICES", "type": "UPDATE",
		"no_of_records": records, "webhook_type": "DATA_MODEL_CHANGES", "data": data,
	})
	return body
}

func BenchmarkParse(b *testing.B) {
	for _, records := range []int{1, 100} {
		body := invoiceBody(records)
		b.Run(fmt.Sprintf("%d-bytes", len(body)), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rootfi.Parse("rootfi", body, received); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkChanges(b *testing.B) {
	body := invoiceBody(100)
	ev, err := rootfi.Parse("rootfi", body, received)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := rootfi.Changes(ev); err != nil {
			b.Fatal(err)
		}
	}
}
