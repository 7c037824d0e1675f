package mapping_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/plugins/destination"
	"pgregory.net/rapid"
)

// plan compiles the mapping of the one route of a configuration.
func plan(t testing.TB, text, model string) *mapping.Plan {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte("sources: {rootfi: {type: rootfi, auth: none}}\ndestinations: {d: {plugin: file}}\nroutes:\n  - name: r\n    to: [d]\n"+text), config.Resolver{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	plans, err := mapping.Compile(f.Config.Flat())
	if err != nil {
		t.Fatal(err)
	}
	return plans.For("r", "d", model)
}

func record(t testing.TB, model string, version int64, text string) *event.Record {
	t.Helper()
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	r := &event.Record{
		Key:     event.RecordKey{Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: model, PlatformID: "p1"},
		Version: version, Written: event.Stamp{At: 1e6, Seq: 1}, Fields: map[string]event.Field{},
	}
	for name, value := range fields {
		r.Fields[name] = event.Field{Value: value, Stamp: r.Written, Version: version}
	}
	return r
}

func show(r destination.Record) string {
	b, err := json.Marshal(r.Fields)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %s %s", r.Operation, strings.Join(r.Key, "|"), b)
}

const invoice = `{"document_number":"INV-7","total_amount":100.10,"memo":null,"contact_id":"c1","line_items":[{"id":"l1","quantity":2,"unit_amount":1.10},{"id":"l2","quantity":1,"unit_amount":2}]}`

func TestRecord(t *testing.T) {
	lookup := expr.Lookup(func(model, id string) *expr.Object {
		if model+id != "CONTACTSc1" {
			return nil
		}
		return expr.NewObject(model, map[string]json.RawMessage{"name": json.RawMessage(`"Acme"`)})
	})
	for name, tt := range map[string]struct {
		text, want, changed string
		children            []string
	}{
		"nothing said": {
			want:    `upsert 4711|XERO|p1 {"contact_id":"c1","document_number":"INV-7","line_items":[{"id":"l1","quantity":2,"unit_amount":1.10},{"id":"l2","quantity":1,"unit_amount":2}],"memo":null,"total_amount":100.10}`,
			changed: "contact_id document_number line_items memo total_amount",
		},
		"include, exclude, rename": {
			text:    `    fields: {include: ["*_number", "total*", memo], exclude: [memo], rename: {document_number: number}}`,
			want:    `upsert 4711|XERO|p1 {"number":"INV-7","total_amount":100.10}`,
			changed: "number total_amount",
		},
		"only what map and constants name": {
			text:    `    map: {number: record.document_number, twice: record.total_amount * 2, absent: record.tax_amount, none: record.memo, who: 'related("CONTACTS", record.contact_id).name'}` + "\n" + `    constants: {pipeline: default, n: 1.50, on: true}`,
			want:    `upsert 4711|XERO|p1 {"n":1.50,"none":null,"number":"INV-7","on":true,"pipeline":"default","twice":200.20,"who":"Acme"}`,
			changed: "n none number on pipeline twice who",
		},
		"map besides fields, and a key of its own": {
			text:    `    key: [ref]` + "\n" + `    fields: {include: [memo]}` + "\n" + `    map: {ref: key.company_id + "-" + record.document_number}`,
			want:    `upsert 4711-INV-7 {"memo":null}`,
			changed: "memo",
		},
		"expand": {
			text: "    fields: {include: [memo]}\n    expand: line_items",
			want: `upsert 4711|XERO|p1 {"memo":null}`, changed: "memo",
			children: []string{
				`invoices_line_items upsert 4711|XERO|p1|0 {"id":"l1","quantity":2,"unit_amount":1.10}`,
				`invoices_line_items upsert 4711|XERO|p1|1 {"id":"l2","quantity":1,"unit_amount":2}`,
			},
		},
		"expand with an id and a mapping": {
			text: "    fields: {include: [memo]}\n    expand:\n      line_items:\n        object: lines\n        id: id\n        map: {total: item.quantity * item.unit_amount, position: index + 1, number: record.document_number}\n",
			want: `upsert 4711|XERO|p1 {"memo":null}`, changed: "memo",
			children: []string{
				`lines upsert 4711|XERO|p1|l1 {"number":"INV-7","position":1,"total":2.20}`,
				`lines upsert 4711|XERO|p1|l2 {"number":"INV-7","position":2,"total":2}`,
			},
		},
		"for one destination": {
			text:    `    map: {a: '"route"', b: '"route"'}` + "\n" + `    for: {d: {object: things, map: {a: '"for"'}}}`,
			want:    `upsert 4711|XERO|p1 {"a":"for","b":"route"}`,
			changed: "a b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := plan(t, tt.text, "INVOICES").Record(mapping.Merged{Record: record(t, "INVOICES", 3, invoice), Lookup: lookup})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(out.Record.Changed)
			if got := show(out.Record); got != tt.want || strings.Join(out.Record.Changed, " ") != tt.changed {
				t.Errorf("got  %s (%s)\nwant %s (%s)", got, out.Record.Changed, tt.want, tt.changed)
			}
			var children []string
			for _, c := range out.Children {
				children = append(children, c.Object+" "+show(c.Record))
				if len(c.KeyFields) != len(c.Record.Key) || c.Record.Version != 3 || c.Mode != destination.ModeRecords {
					t.Errorf("child %+v", c)
				}
			}
			if !slices.Equal(children, tt.children) {
				t.Errorf("children\n%s\nwant\n%s", strings.Join(children, "\n"), strings.Join(tt.children, "\n"))
			}
		})
	}
}

func TestChangedSinceAVersion(t *testing.T) {
	r := record(t, "INVOICES", 1, invoice)
	r.Version = 2
	f := r.Fields["total_amount"]
	f.Version = 2
	r.Fields["total_amount"] = f
	out, err := plan(t, "    map: {number: record.document_number, total: record.total_amount, computed: record.total_amount + 1}", "INVOICES").
		Record(mapping.Merged{Record: r, Delivered: 1})
	if got := strings.Join(out.Record.Changed, " "); err != nil || got != "computed total" {
		t.Errorf("changed %s (%v)", got, err)
	}
}

func TestChildrenThatAreGoneAreDeleted(t *testing.T) {
	p := plan(t, "    expand: {line_items: {object: lines, id: id}}", "INVOICES")
	r := record(t, "INVOICES", 4, invoice)
	had := mapping.Children{"lines": {"l1", "l0"}, "of_another_time": {"x"}}
	out, err := p.Record(mapping.Merged{Record: r, Delivered: 3, Children: had})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range out.Children {
		got = append(got, fmt.Sprint(c.Record.Operation, c.Record.Key[3], c.Record.Version))
	}
	if want := []string{"upsertl14", "upsertl24", "deletel04"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := fmt.Sprint(out.Now); n != "map[lines:[l1 l2] of_another_time:[x]]" {
		t.Errorf("now %s", n)
	}

	r.Tombstone = event.Stamp{At: 2e6, Seq: 2}
	out, err = p.Record(mapping.Merged{Record: r, Delivered: 3, Children: had})
	if err != nil || out.Record.Operation != destination.Delete || len(out.Children) != 2 || out.Children[0].Record.Operation != destination.Delete {
		t.Errorf("of a deleted record: %+v, %v", out, err)
	}
	if n := fmt.Sprint(out.Now); n != "map[of_another_time:[x]]" {
		t.Errorf("now %s", n)
	}
}

func TestFailuresHoldNoValues(t *testing.T) {
	for name, tt := range map[string]struct{ text, record, want string }{
		"division by zero":      {"    map: {a: 1 / record.total_amount}", `{"total_amount":0}`, "mapping of a: division by zero"},
		"a type that is odd":    {`    map: {a: record.x + 1}`, `{"x":"secret"}`, "mapping of a: a value has another type than the expression needs"},
		"a date that is none":   {`    map: {a: date(record.x)}`, `{"x":"secret"}`, "mapping of a: date: the text is no date of a known form: give its form as second argument"},
		"a conversion":          {`    map: {a: int(record.x)}`, `{"x":"secret"}`, "mapping of a: cannot be evaluated for this record"},
		"a number that is none": {`    map: {a: decimal(record.x)}`, `{"x":"secret"}`, "mapping of a: is not a number"},
		"no key":                {`    key: [a]` + "\n" + `    map: {a: record.x, b: record.y}`, `{"y":"secret"}`, "mapping of a: a part of the key is missing, null, or not a text or number"},
		"no list":               {`    expand: line_items`, `{"line_items":"secret"}`, "mapping of line_items: is not a list"},
		"no object":             {`    expand: line_items`, `{"line_items":["secret"]}`, "mapping of line_items: an element of the list is not an object"},
		"no id":                 {`    expand: {line_items: {id: id}}`, `{"line_items":[{"a":"secret"}]}`, "mapping of line_items: an element of the list has no id"},
		"an id twice":           {`    expand: {line_items: {id: id}}`, `{"line_items":[{"id":"secret"},{"id":"secret"}]}`, "mapping of line_items: two elements of the list have the same id"},
		"too many steps":        {`    map: {a: 'record.l.map(a, record.l.map(b, record.l.map(c, record.l.size())))'}`, `{"l":[` + strings.Repeat("1,", 200) + `1]}`, "mapping of a: takes too many steps"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan(t, tt.text, "THINGS").Record(mapping.Merged{Record: record(t, "THINGS", 1, tt.record)})
			if _, ok := errors.AsType[*mapping.Failure](err); !ok || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestTypes(t *testing.T) {
	out, err := plan(t, `    key: [id]
    fields: {include: [total_amount, memo], rename: {total_amount: total}}
    map: {id: record.platform_id, due: record.due_date, tax: record.tax_amount / 2, paid: record.status == "PAID", day: date(record.due_date), lines: record.line_items, who: 'related("CONTACTS", record.contact_id).name'}
    expand: {line_items: {map: {total: item.unit_amount * item.quantity, text: item.description}}}
`, "INVOICES").Record(mapping.Merged{Record: record(t, "INVOICES", 1, `{"platform_id":"p1","line_items":[{}],"due_date":"2026-01-01"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(out.Types); got != "map[day:timestamp due:timestamp lines:json memo:text paid:boolean tax:number total:number who:text]" {
		t.Errorf("types %s", got)
	}
	if got := fmt.Sprint(out.Children[0].Types); got != "map[text:text total:number]" {
		t.Errorf("types of elements %s", got)
	}
}

func TestChange(t *testing.T) {
	p := plan(t, "    mode: changes\n    fields: {rename: {a: b}}\n    map: {op: event.operation, twice: change.a * 2}", "THINGS")
	ev := &event.Event{Seq: 9, Source: "rootfi", ID: "e1", Kind: event.KindDataModelChanges, Operation: event.Update}
	c := event.Change{Key: record(t, "THINGS", 1, "{}").Key, Operation: event.Update, Stamp: event.Stamp{Seq: 9, Index: 2}, Fields: map[string]json.RawMessage{"a": json.RawMessage("1.10")}}
	got, err := p.Change(ev, c)
	if err != nil {
		t.Fatal(err)
	}
	if s := show(got.Record); s != `append 4711|XERO|p1 {"b":1.10,"op":"UPDATE","twice":2.20}` || got.Record.IdempotencyKey != "rootfi/e1#2" || got.Object != "things" {
		t.Errorf("got %s %+v", s, got)
	}
}

func TestEventIsJSONWhateverTheBody(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"object":               {`{"status":"OK"}`, `{"status":"OK"}`},
		"byte order mark":      {"\xef\xbb\xbf" + ` {"status":"OK"}` + "\n", `{"status":"OK"}`},
		"mark before an array": {"\xef\xbb\xbf[1.50]", `{"body":[1.50]}`},
		"a number":             {"1.50", `{"body":1.50}`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := (*mapping.Plans)(nil).For("", "", "").Event(&event.Event{Source: "s", ID: "1", Body: []byte(tt.body)})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.Marshal(p.Record.Fields); err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// Whatever lists a record had at each version, and whichever deliveries were
// lost, the elements at the destination are in the end those of its last list.
func TestElementsFollowTheList(t *testing.T) {
	p := plan(t, "    expand: {l: {object: lines, id: id}}", "THINGS")
	rapid.Check(t, func(t *rapid.T) {
		there := map[string]bool{}     // at the destination
		known := mapping.Children(nil) // in the ledger
		var ids []string
		steps := rapid.IntRange(1, 8).Draw(t, "versions")
		for v := range steps {
			ids = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID[string]).Draw(t, "ids")
			var items []string
			for _, id := range ids {
				items = append(items, fmt.Sprintf(`{"id":%q}`, id))
			}
			r := &event.Record{Key: event.RecordKey{Model: "THINGS", PlatformID: "p"}, Version: int64(v + 1), Written: event.Stamp{At: 1}}
			r.Fields = map[string]event.Field{"l": {Value: json.RawMessage("[" + strings.Join(items, ",") + "]"), Stamp: r.Written, Version: r.Version}}
			out, err := p.Record(mapping.Merged{Record: r, Children: known})
			if err != nil {
				t.Fatal(err)
			}
			intended := mapping.Children{"lines": append(slices.Clone(known["lines"]), out.Now["lines"]...)}
			known = intended
			last := v == steps-1
			written := len(out.Children)
			if !last {
				written = rapid.IntRange(0, written).Draw(t, "written")
			}
			for _, c := range out.Children[:written] {
				there[c.Record.Key[3]] = c.Record.Operation == destination.Upsert
			}
			if written == len(out.Children) && (last || rapid.Bool().Draw(t, "answered")) {
				known = out.Now
			}
		}
		for id, is := range there {
			if is != slices.Contains(ids, id) {
				t.Fatalf("%s there: %v, want the elements %v", id, is, ids)
			}
		}
	})
}

func BenchmarkConditionAndTenFields(b *testing.B) {
	p := plan(b, `    key: [ref]
    map:
      ref: key.company_id + "-" + record.platform_id
      name: '"Invoice " + record.document_number'
      amount: record.total_amount
      open: round(record.amount_due * 1.19, 2)
      tax: coalesce(record.tax_amount, 0.00)
      paid: record.status == "PAID"
      stage: 'record.amount_due == 0 ? "closedwon" : "contractsent"'
      due: unix_ms(record.due_date)
      days: days_between(record.posted_date, record.due_date)
      memo: record.memo.upperAscii()
`, "INVOICES")
	r := record(b, "INVOICES", 3, `{"platform_id":"INVOICES_7","document_number":"INV-7","total_amount":1190.00,"amount_due":1000.00,"status":"AUTHORISED","due_date":"2026-02-01T00:00:00.000Z","posted_date":"2026-01-02","memo":"thanks","contact_id":"c1","currency_id":"EUR"}`)
	where, err := expr.Compile(`record.total_amount > 1000 && record.status in ["AUTHORISED", "PAID"]`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := where.Bool(&expr.Vars{Record: expr.NewRecord(r)}); !ok || err != nil {
			b.Fatal(ok, err)
		}
		if _, err := p.Record(mapping.Merged{Record: r}); err != nil {
			b.Fatal(err)
		}
	}
}
