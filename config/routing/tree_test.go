package routing_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"pgregory.net/rapid"
)

// parsed compiles the routes of a file with the destinations a, b and c.
func parsed(t testing.TB, text string) *routing.Table {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte("sources: {rootfi: {type: rootfi, auth: none}}\ndestinations: {a: {plugin: file}, b: {plugin: file}, c: {plugin: file}}\n"+text), config.Resolver{})
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, f.Config.Flat()...)
}

func in(model, record string) routing.RecordInput {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(record), &fields) != nil {
		panic(record)
	}
	return routing.RecordInput{
		Source: "rootfi", Model: model, CompanyID: "4711", Integration: "XERO", Operation: event.Update,
		Vars: &expr.Vars{Record: expr.NewObject(model, fields)},
	}
}

// where is route>destination for each match.
func where(matches []routing.Match) string {
	var out []string
	for _, m := range matches {
		out = append(out, m.Route+">"+m.Destination)
	}
	return strings.Join(out, " ")
}

func TestTree(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		in   routing.RecordInput
		want string
	}{
		"a condition that holds":    {`routes: [{name: r, where: record.total_amount > 1000, to: [a]}]`, in("INVOICES", `{"total_amount":1000.01}`), "r>a"},
		"a condition that does not": {`routes: [{name: r, where: record.total_amount > 1000, to: [a]}]`, in("INVOICES", `{"total_amount":1000.00}`), ""},
		"a condition about a field that is not there": {`routes: [{name: r, where: record.total_amount > 1000, to: [a]}, {name: s, where: record.total_amount == null, to: [b]}]`,
			in("INVOICES", `{}`), "s>b"},
		"a condition that cannot be evaluated":                  {`routes: [{name: r, where: record.x > 1, to: [a]}, {name: s, to: [b]}]`, in("THINGS", `{"x":"text"}`), "s>b"},
		"stop":                                                  {`routes: [{name: r, models: [INVOICES], stop: true, to: [a]}, {name: s, to: [b]}]`, in("INVOICES", `{}`), "r>a"},
		"stop of a route that does not match":                   {`routes: [{name: r, models: [BILLS], stop: true, to: [a]}, {name: s, to: [b]}]`, in("INVOICES", `{}`), "s>b"},
		"catch_all takes what is left":                          {`routes: [{name: rest, catch_all: true, to: [c]}, {name: r, models: [BILLS], to: [a]}]`, in("INVOICES", `{}`), "rest>c"},
		"catch_all leaves what is taken":                        {`routes: [{name: rest, catch_all: true, to: [c]}, {name: r, to: [a]}]`, in("INVOICES", `{}`), "r>a"},
		"catch_all leaves what a route of the other mode takes": {`routes: [{name: log, mode: changes, to: [a]}, {name: rest, catch_all: true, to: [c]}]`, in("THINGS", `{}`), ""},
		"catch_all after a condition":                           {`routes: [{name: r, where: record.n == 1, to: [a]}, {name: rest, catch_all: true, to: [c]}]`, in("THINGS", `{"n":2}`), "rest>c"},
		"a group narrows": {`routes: [{name: g, models: ["INV*"], to: [a], routes: [{name: r}, {name: s, models: [INVOICES], to: [b]}, {name: u, models: [BILLS], to: [c]}]}]`,
			in("INVOICES", `{}`), "r>a s>b"},
		"a condition of a group":         {`routes: [{name: g, where: record.n == 1, to: [a], routes: [{name: r}, {name: s, to: [b]}]}]`, in("THINGS", `{"n":2}`), ""},
		"groups in groups":               {`routes: [{name: g, companies: ["4711"], to: [a], routes: [{name: h, where: record.n > 0, routes: [{name: r, where: record.n < 5}]}]}]`, in("THINGS", `{"n":2}`), "r>a"},
		"defaults":                       {"defaults: {to: [b], companies: [\"1\"]}\nroutes: [{name: r}, {name: s, companies: [\"4711\"]}]", in("THINGS", `{}`), "s>b"},
		"a row of the table":             {`models: {INVOICES: [a, b], "INV*": [c], "*": [c]}`, in("INVOICES", `{}`), "models:INVOICES>a models:INVOICES>b"},
		"a less precise row":             {`models: {INVOICES: [a, b], "INV*": [c], "*": [b]}`, in("INVOICE_PAYMENTS", `{}`), "models:INV*>c"},
		"the least precise row":          {`models: {INVOICES: [a, b], "INV*": [c], "*": [b]}`, in("BILLS", `{}`), "models:*>b"},
		"routes come before the table":   {"models: {INVOICES: [a, b]}\nroutes: [{name: r, to: [a], object: x}]", in("INVOICES", `{}`), "r>a models:INVOICES>b"},
		"a pack takes its models":        {`routes: [{name: r, pack: rootfi/hubspot, to: [a]}]`, in("INVOICES", `{}`), "r>a"},
		"a pack leaves others":           {`routes: [{name: r, pack: rootfi/hubspot, to: [a]}, {name: s, to: [b]}]`, in("ITEMS", `{}`), "s>b"},
		"a pack for one destination":     {`routes: [{name: r, to: [a, b], for: {a: {pack: rootfi/hubspot}}}]`, in("ITEMS", `{}`), "r>b"},
		"the object is that of the pack": {`routes: [{name: r, pack: rootfi/hubspot, to: [a]}]`, in("CONTACTS", `{}`), "r>a"},
	} {
		t.Run(name, func(t *testing.T) {
			table := parsed(t, tt.text)
			for range 2 {
				if got := where(table.Records(tt.in)); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
			var explained []routing.Match
			for _, v := range table.ExplainRecord(tt.in) {
				explained = append(explained, v.Matches...)
				if v.Matched == (v.Reason != "") {
					t.Errorf("verdict %+v", v)
				}
			}
			slices.SortFunc(explained, func(a, b routing.Match) int { return strings.Compare(a.Route+a.Destination, b.Route+b.Destination) })
			matches := slices.Clone(table.Records(tt.in))
			slices.SortFunc(matches, func(a, b routing.Match) int { return strings.Compare(a.Route+a.Destination, b.Route+b.Destination) })
			if where(explained) != where(matches) {
				t.Errorf("explained %q", where(explained))
			}
		})
	}
	if got := parsed(t, `routes: [{name: r, pack: rootfi/hubspot, to: [a]}]`).Records(in("CONTACTS", `{}`))[0].Object; got != "companies" {
		t.Errorf("object %s", got)
	}
}

func TestReasons(t *testing.T) {
	table := parsed(t, `
routes:
  - name: group
    models: ["INV*"]
    where: record.n == 1
    to: [a]
    routes: [{name: one, integrations: [ZOHO]}, {name: two}]
  - {name: broken, where: record.x + 1 == 2, to: [a]}
  - {name: packed, pack: rootfi/hubspot, to: [a]}
  - {name: stops, stop: true, to: [b]}
  - {name: late, to: [c], object: x}
  - {name: rest, catch_all: true, to: [c], object: y}
`)
	var failed []string
	input := in("INVOICE_ITEMS", `{"n":2,"x":"secret"}`)
	input.Failed = func(route string, err error) { failed = append(failed, fmt.Sprint(route, ": ", err)) }
	var got []string
	for _, v := range table.ExplainRecord(input) {
		got = append(got, v.Route+": "+v.Reason)
	}
	want := []string{
		`one: integrations does not match "XERO"`,
		`two: where of the group group is false`,
		`broken: where cannot be evaluated: a value has another type than the expression needs`,
		`packed: its pack has nothing for "INVOICE_ITEMS"`,
		`stops: `,
		`late: route stops stops`,
		`rest: route stops stops`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if want := []string{"broken: a value has another type than the expression needs"}; !slices.Equal(failed, want) {
		t.Errorf("failed %q, want %q", failed, want)
	}
}

func TestEventsByStatusAndType(t *testing.T) {
	table := parsed(t, `
routes:
  - {name: failed, events: [sync_completed], statuses: [FAILED, "PARTIAL*"], to: [a]}
  - {name: pulls, events: [sync_completed], sync_types: [pull], to: [b]}
  - {name: lost, events: [connection_changed], where: 'event.status != "HEALTHY"', to: [c]}
`)
	for _, tt := range []struct {
		kind           event.Kind
		status, typ    string
		want, unrouted string
	}{
		{event.KindSyncCompleted, "failed", "PUSH", "failed>a", "false"},
		{event.KindSyncCompleted, "PARTIAL_SUCCESS", "PULL", "failed>a pulls>b", "false"},
		{event.KindSyncCompleted, "SUCCESS", "PUSH", "", "true"},
		{event.KindConnectionChanged, "EXPIRED", "", "lost>c", "false"},
		{event.KindConnectionChanged, "HEALTHY", "", "", "true"},
	} {
		in := routing.EventInput{Source: "rootfi", Kind: tt.kind, Status: tt.status, SyncType: tt.typ, Vars: &expr.Vars{Event: &event.Event{Status: tt.status}}}
		if got := where(table.Appends(in)); got != tt.want || fmt.Sprint(table.Unrouted(in)) != tt.unrouted {
			t.Errorf("%s %s %s: got %q, unrouted %v", tt.kind, tt.status, tt.typ, got, table.Unrouted(in))
		}
	}
}

func TestUnrouted(t *testing.T) {
	table := parsed(t, `routes: [{name: r, models: [INVOICES], operations: [DELETE], where: record.n == 1, to: [a]}, {name: rest, catch_all: true, to: [b]}]`)
	for model, want := range map[string]bool{"INVOICES": false, "BILLS": true} {
		if got := table.Unrouted(routing.EventInput{Source: "rootfi", Kind: event.KindDataModelChanges, Model: model, Operation: event.Update}); got != want {
			t.Errorf("%s: %v", model, got)
		}
	}
}

// A table of models says of every model exactly what its most precise row says.
func TestTableOfModels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := map[string][]string{}
		for _, row := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"*", "I*", "IN*", "*S", "IN", "INS", "I?S", "BS"}), 1, 8, rapid.ID[string]).Draw(t, "rows") {
			rows[row] = []string{strings.ToLower("to-" + row)}
		}
		c := &config.Config{Models: rows}
		table, err := routing.Compile(c.Flat())
		if err != nil {
			t.Fatal(err)
		}
		model := rapid.SampledFrom([]string{"IN", "INS", "IXS", "BS", "B"}).Draw(t, "model")
		got := table.Records(routing.RecordInput{Model: model})
		matching := 0
		for row := range rows {
			if config.Pattern(row).Match(model) {
				matching++
			}
		}
		if (len(got) == 1) != (matching > 0) {
			t.Fatalf("%d rows match, got %v", matching, got)
		}
		if _, exact := rows[model]; exact && got[0].Route != "models:"+model {
			t.Fatalf("got %v", got)
		}
	})
}
