package expr_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/internal/event"
	"pgregory.net/rapid"
)

// sameEitherWay fails the test unless the shorter ways of an expression give
// what CEL's own steps give: the same JSON, the same condition, the same failure.
func sameEitherWay(t rapid.TB, source, record string) {
	short, err := expr.Compile(source)
	if err != nil {
		return
	}
	general, err := expr.CompileGeneral(source)
	if err != nil {
		t.Fatalf("%s: only the general way does not compile: %v", source, err)
	}
	told := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(record), &told) != nil {
		return
	}
	merged := &event.Record{Key: event.RecordKey{CompanyID: "4711", Model: "INVOICES"}}
	merged.Merge(event.Change{Operation: event.Create, Stamp: event.Stamp{At: 1}, Fields: told})
	lookup := func(model, id string) *expr.Object {
		if id == "c1" {
			return expr.NewObject(model, told)
		}
		return nil
	}
	all := func(record *expr.Object) *expr.Vars {
		return &expr.Vars{
			Key: merged.Key, Event: &event.Event{Source: "rootfi", CompanyID: "4711"}, Record: record,
			Change: expr.NewObject("INVOICES", told), Item: expr.NewObject("", told), Index: 3, Lookup: lookup,
		}
	}
	for name, pair := range map[string][2]*expr.Vars{
		"everything": {all(expr.NewRecord(merged)), all(expr.NewObject("INVOICES", told))},
		"nothing":    {{}, {}},
	} {
		got, gotErr := short.JSON(pair[0])
		want, wantErr := general.JSON(pair[1])
		if string(got) != string(want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%s with %s over %s: got %s (%v), the general way gives %s (%v)", source, name, record, got, gotErr, want, wantErr)
		}
		holds, gotErr := short.Bool(pair[0])
		must, wantErr := general.Bool(pair[1])
		if holds != must || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("%s with %s over %s: got %v (%v), the general way gives %v (%v)", source, name, record, holds, gotErr, must, wantErr)
		}
	}
}

const directRecord = `{"number":10.50,"whole":3,"text":"INV-7","amount":"7.25","none":null,"yes":true,"date":"2026-01-31","moment":"2026-02-01T10:00:00Z",
	"list":[1,"a",{"b":2}],"object":{"a":{"b":1.50},"list":[2]},"id":"c1","total_amount":"1190.00"}`

// TestDirectGivesWhatCELGives builds expressions of everything that has a
// shorter way, within one another and within what has none.
func TestDirectGivesWhatCELGives(t *testing.T) {
	leaves := []string{`1`, `0`, `1.5`, `"a"`, `"INV-7"`, `true`, `null`, `index`, `event.source`, `event.status`, `key.company_id`, `key.platform_id`,
		`[1, 2.0]`, `["INV-7"]`, `has(record.text)`, `has(record.missing)`, `has(previous.text)`, `record["text"]`, `record.list[0]`, `record.list[record.whole]`, `record.object["a"]`}
	for _, of := range []string{"record", "change", "previous", "item"} {
		for _, name := range []string{"number", "whole", "text", "amount", "none", "yes", "date", "moment", "list", "object", "object.a.b", "object.list[0]", "missing", "missing.deep", "id", "total_amount"} {
			leaves = append(leaves, of+"."+name)
		}
	}
	forms := []string{`%s + %s`, `%s - %s`, `%s * %s`, `%s / %s`, `%s % %s`, `%s == %s`, `%s != %s`, `%s < %s`, `%s >= %s`, `%s in %s`, `%s && %s`, `%s || %s`,
		`(%s ? %s : %s)`, `!(%s)`, `-(%s)`, `round(%s, 2)`, `round(%s, %s, "down")`, `divide(%s, %s, 2)`, `coalesce(%s, %s)`, `coalesce(%s, %s, %s)`, `text(%s)`,
		`hash(%s)`, `hash(%s, %s)`, `mask(%s, 2)`, `first(%s)`, `sum(%s)`, `least(%s, %s)`, `abs(%s)`, `decimal(%s)`, `date(%s)`, `unix_ms(%s)`,
		`days_between(%s, %s)`, `add_days(%s, %s)`, `format_date(%s, "%%Y")`, `related("CONTACTS", %s).text`, `related("CONTACTS", %s)`, `(%s).upperAscii()`,
		`(%s).size()`, `size(%s)`, `(%s).contains(%s)`, `string(%s)`, `int(%s)`, `[%s, %s]`, `{"a": %s}`, `{"a": %s}.a`, `dyn(%s)`, `distinct([%s, %s])`, `(%s)[%s]`,
		`[1, 2].map(x, x + %s)`, `[%s].exists(record, record == %s)`, `[%s].all(e, has(record.text) && e == %s)`}
	var expression func(t *rapid.T, depth int) string
	expression = func(t *rapid.T, depth int) string {
		if depth == 0 || rapid.IntRange(0, 5).Draw(t, "leaf") == 0 {
			return rapid.SampledFrom(leaves).Draw(t, "what")
		}
		form := rapid.SampledFrom(forms).Draw(t, "form")
		var b strings.Builder
		for i, part := range strings.Split(strings.ReplaceAll(form, "%%", "%"), "%s") {
			if i > 0 {
				b.WriteString("(" + expression(t, depth-1) + ")")
			}
			b.WriteString(part)
		}
		return b.String()
	}
	rapid.Check(t, func(t *rapid.T) {
		// Most compile only if their types fit, so each draws several.
		for range 8 {
			sameEitherWay(t, expression(t, rapid.IntRange(1, 3).Draw(t, "depth")), directRecord)
		}
	})
}

func FuzzDirect(f *testing.F) {
	for _, s := range []string{
		`record.number > 1.5 && record.text in ["a"]`, `coalesce(record.none, related("X", record.id).text)`, `record.object.a.b + 1`,
		`record.list[record.none]`, `has(record.text) ? record.text.upperAscii() : "x"`, `divide(record.whole, 0, 2)`, `record.number + record.text`,
		`key == key`, `key.company_id + event.source`, `record == change`, `text([1])`, `round(round(record.number, 1), record.whole)`,
	} {
		f.Add(s, directRecord)
	}
	f.Fuzz(func(t *testing.T, source, record string) { sameEitherWay(t, source, record) })
}
