package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	f, err := Parse("sluice.yaml", []byte(`
sources: {rootfi: {type: rootfi, auth: none}}
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
  - {name: all, models: [BILLS], to: [a]}
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
		"a Account:21 BillingCity:21", "a bills:23", "a deals:15 id:16 memo:17 origin:12 stage:17", "a deals_line_items:19 position:19",
		"b bills:20 id:16 memo:17 origin:12 stage:17 title:20", "b bills_line_items:19 position:19", "b tax_rates:7",
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
