package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	f, err := Parse("sluice.yaml", []byte(`
sources: {rootfi: {type: rootfi, auth: [none]}}
destinations:
  a: {plugin: file}
  b: {plugin: file}
models:
  TAX_RATES: [b]
routes:
  - name: group
    models: [INVOICES]
    to: [a, b]
    constants: {origin: books}
    routes:
      - name: invoices
        object: deals
        key: [id]
        fields: {include: [memo, "tax_*", status], rename: {status: stage}}
        map: {id: record.platform_id}
        expand: {line_items: {map: {position: index}}}
        for: {b: {object: bills, map: {title: record.memo}}}
  - {name: pack, pack: rootfi/salesforce, models: [CONTACTS], to: [a], map: {Name: record.name}}
  - {name: syncs, events: [sync_completed], to: [a]}
  - {name: all, to: [b]}
`), Resolver{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range f.Targets() {
		line, _ := f.At(target.Path...)
		text := fmt.Sprintf("%s %s:%d", target.Destination, target.Object, line)
		for _, field := range target.Fields {
			line, _ := f.At(field.Path...)
			text += fmt.Sprintf(" %s:%d", field.Name, line)
		}
		got = append(got, text)
	}
	want := []string{
		"a Account:19 BillingCity:19", "a deals:13 id:14 memo:15 origin:11 stage:15", "a deals_line_items:17 position:17",
		"b bills:18 id:14 memo:15 origin:11 stage:15 title:18", "b bills_line_items:17 position:17", "b tax_rates:7",
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g string) bool { return g == w || strings.HasPrefix(g, w+" ") }) {
			t.Errorf("missing: %s", w)
		}
	}
	if t.Failed() || len(got) != len(want) {
		t.Errorf("%d of %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}
