package sqltest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

// absentAndNull: null clears a column, an absent field leaves it alone, also
// where both come in one batch.
func absentAndNull(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("invoices",
		put("a", 1, `{"memo":"a","amount":1,"lines":[1],"paid":true}`), put("b", 1, `{"memo":"b","amount":1,"lines":[1],"paid":true}`)))
	deliver(t, d, batch("invoices",
		put("a", 2, `{"memo":null,"paid":false}`), put("b", 2, `{"amount":null,"lines":null}`), put("c", 1, `{"amount":3}`)))
	no := ""
	p.want(t, "invoices", "a", map[string]string{"memo": no, "amount": "1", "lines": "[1]", "_version": "2"})
	p.want(t, "invoices", "b", map[string]string{"memo": "b", "amount": no, "lines": no})
	p.want(t, "invoices", "c", map[string]string{"memo": no, "amount": "3"})
}

// nullAfterAnother: a null clears what another process wrote in a column that
// this one has not seen.
func nullAfterAnother(t *testing.T, p Place) {
	one, another := p.Open(t, "soft"), p.Open(t, "soft")
	deliver(t, one, batch("invoices", put("a", 1, `{"memo":"m"}`)))
	deliver(t, another, batch("invoices", put("a", 2, `{"memo":"m","extra":"e"}`)))
	deliver(t, one, batch("invoices", put("a", 3, `{"memo":"m","extra":null}`)))
	p.want(t, "invoices", "a", map[string]string{"memo": "m", "extra": ""})
}

// awkwardText: what cannot be stored is replaced, one character for one.
func awkwardText(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("invoices",
		put("a", 1, `{"memo":"a\u0000b","lines":["c\u0000d","\\u0000","\ud800","\ud83d\ude00"],"odd":"x\ud800y"}`)))
	p.want(t, "invoices", "a", map[string]string{"memo": "a\uFFFDb", "odd": "x\uFFFDy"})
	var lines []string
	if err := json.Unmarshal([]byte(p.state(t, "invoices")["a"]["lines"]), &lines); err != nil {
		t.Fatal(err)
	}
	if want := []string{"c\uFFFDd", `\u0000`, "\uFFFD", "😀"}; !slices.Equal(lines, want) {
		t.Errorf("lines: %q, want %q", lines, want)
	}
	bad := put("x\x00y", 1, `{}`)
	if r := write(t, d, batch("invoices", put("b", 1, `{}`), bad)); r[0].Kind != destination.Delivered || r[1].Kind != destination.Rejected {
		t.Errorf("a key with a NUL: %v, beside it: %v", r[1], r[0])
	}
}

// forbid makes the database refuse rows with the memo "bad".
const forbid = "bad"

func (p Place) forbid(t *testing.T) {
	t.Helper()
	statement := "CREATE UNIQUE INDEX only_one ON " + p.Table("invoices") + " (memo) WHERE memo = '" + forbid + "'"
	if p.Forbid != nil {
		statement = p.Forbid(p.Table("invoices"))
	}
	p.Exec(t, statement)
}

// badRecords: the database refuses some records of a large batch. Only they are
// rejected.
func badRecords(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("invoices", put("first", 1, `{"memo":"bad"}`)))
	p.forbid(t)
	var list []destination.Record
	bad := map[int]bool{0: true, 17: true, 18: true, 250: true, 499: true}
	for i := range 500 {
		memo := "good"
		if bad[i] {
			memo = forbid
		}
		list = append(list, put(fmt.Sprintf("r%03d", i), 1, fmt.Sprintf(`{"memo":%q,"amount":%d}`, memo, i)))
	}
	for i, r := range write(t, d, batch("invoices", list...)) {
		switch {
		case bad[i] && (r.Kind != destination.Rejected || r.Code == "" || r.Message == ""):
			t.Errorf("bad record %d: %+v", i, r)
		case !bad[i] && r.Kind != destination.Delivered:
			t.Errorf("good record %d: %+v", i, r)
		}
	}
	if n := len(p.state(t, "invoices")); n != 1+500-len(bad) {
		t.Errorf("%d rows", n)
	}
}

// olderOfBad: where the newest version of a key is refused, the one before it is
// written.
func olderOfBad(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	deliver(t, d, batch("invoices", put("first", 1, `{"memo":"bad"}`)))
	p.forbid(t)
	results := write(t, d, batch("invoices",
		put("a", 3, `{"memo":"bad"}`), put("a", 1, `{"memo":"one"}`), put("a", 2, `{"memo":"two"}`), put("b", 1, `{"memo":"b"}`)))
	for i, want := range []destination.ResultKind{destination.Rejected, destination.Delivered, destination.Delivered, destination.Delivered} {
		if results[i].Kind != want {
			t.Errorf("record %d: %+v, want %v", i, results[i], want)
		}
	}
	p.want(t, "invoices", "a", map[string]string{"memo": "two", "_version": "2"})
}

// tombstones of hard deletes still guard when the setting becomes soft.
func tombstones(t *testing.T, p Place) {
	hard := p.Open(t, "hard")
	deliver(t, hard, batch("invoices", put("a", 1, `{"memo":"a"}`), put("b", 1, `{"memo":"b"}`)))
	deliver(t, hard, batch("invoices", drop("a", 5, `{}`), drop("never", 5, `{}`)))
	soft := p.Open(t, "soft")
	deliver(t, soft, batch("invoices", put("a", 4, `{"memo":"late"}`), put("never", 4, `{"memo":"late"}`), put("b", 2, `{"memo":"bb"}`)))
	got := p.state(t, "invoices")
	if len(got) != 1 || got["b"]["memo"] != "bb" {
		t.Errorf("got %v", got)
	}
	if n := len(p.state(t, "invoices_tombstones")); n != 2 {
		t.Errorf("%d tombstones, want 2", n)
	}
	deliver(t, soft, batch("invoices", put("a", 6, `{"memo":"back"}`)))
	p.want(t, "invoices", "a", map[string]string{"memo": "back", "_version": "6"})
	if n := len(p.state(t, "invoices_tombstones")); n != 1 {
		t.Errorf("%d tombstones after the revival, want 1", n)
	}
}

// events and changes have a table of their own, with where they come from.
func events(t *testing.T, p Place) {
	d := p.Open(t, "soft")
	r := put("a", 42, `{"amount":1.10,"big":12345678901234567890,"nothing":null,"text":"ü"}`)
	r.Operation, r.IdempotencyKey = destination.Append, "rootfi/evt#0"
	r.Origin.EventID, r.Origin.EventKind, r.Origin.Operation = "evt", "data_model_changes", "UPDATE"
	second := r
	second.IdempotencyKey = "rootfi/evt#1"
	changes := batch("invoices", r, second, r)
	changes.Mode = destination.ModeChanges
	for range 2 {
		deliver(t, d, changes)
	}
	deliver(t, d, batch("invoices", put("a", 1, `{"amount":9}`))) // the records have their own table
	r.Origin.PlatformID, r.Origin.Model = "", ""
	deliver(t, d, destination.Batch{Mode: destination.ModeEvents, Object: "events", KeyFields: []string{"_event_id"}, Records: []destination.Record{r}})
	for table, n := range map[string]int{"invoices_changes": 2, "events": 1, "invoices": 1} {
		if rows := p.Rows(t, table); len(rows) != n {
			t.Fatalf("%s: %d rows, want %d", table, len(rows), n)
		}
	}
	row := p.Rows(t, "invoices_changes")[0]
	want := map[string]string{
		"_source": "rootfi", "_company_id": "4711", "_integration_type": "XERO", "_model": "INVOICES", "_platform_id": "a",
		"_event_id": "evt", "_event_kind": "data_model_changes", "_operation": "UPDATE", "_sequence": "42",
	}
	for name, value := range want {
		if row[name] != value {
			t.Errorf("%s = %q, want %q", name, row[name], value)
		}
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal([]byte(row["body"]), &body); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"amount": "1.10", "big": "12345678901234567890", "nothing": "null", "text": `"ü"`} {
		if string(body[name]) != value {
			t.Errorf("body: %s = %s, want %s", name, body[name], value)
		}
	}
	if names := slices.Sorted(maps.Keys(row)); !slices.Contains(names, "_occurred_at") || !slices.Contains(names, "_synced_at") {
		t.Errorf("columns %v", names)
	}
}
