package config_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
)

const twoDestinations = "sources: {rootfi: {type: rootfi, auth: none}}\ndestinations: {a: {plugin: file}, b: {plugin: file}}\n"

// What may be meant all the same is a warning.
func TestWarningsOfRoutes(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a field that the catalog does not know": {`routes: [{name: r, models: [INVOICES], where: record.totl_amount > 5, to: [a, b]}]`,
			`test.yaml:3:54: warning: routes[0].where: INVOICES has no field "totl_amount" that is known (did you mean total_amount?)`},
		"a field that one of the models has": {`routes: [{name: r, models: [INVOICES, CONTACTS], where: record.name == "x", to: [a, b]}]`, ``},
		"a field of a related record": {`routes: [{name: r, models: [INVOICES], map: {x: 'related("CONTACTS", record.contact_id).nam'}, to: [a, b]}]`,
			`test.yaml:3:89: warning: routes[0].map.x: CONTACTS has no field "nam" that is known (did you mean name?)`},
		"a model that is not known": {`routes: [{name: r, models: [INVOICES], map: {x: 'related("CONTACT", record.contact_id).nam'}, to: [a, b]}]`,
			`test.yaml:3:58: warning: routes[0].map.x: "CONTACT" is no data model that is known (did you mean CONTACTS?)`},
		"a group and a route that never meet": {`routes: [{name: g, models: [INVOICES], to: [a, b], routes: [{name: r, models: [BILLS]}]}]`,
			`test.yaml:3:61: warning: routes[0].routes[0]: matches nothing: models of the group and of the route have nothing in common (name something that the group takes)`},
		"a route after one that stops": {`routes: [{name: r, models: ["INV*"], stop: true, to: [a]}, {name: s, models: [INVOICES], to: [b]}]`,
			`test.yaml:3:60: warning: routes[1]: is never reached: route "r" takes all that it would (move it up, or narrow the other one)`},
		"a route that narrows one before it": {`routes: [{name: r, to: [a]}, {name: s, models: [INVOICES], to: [a]}, {name: u, to: [b]}]`,
			`test.yaml:3:30: warning: routes[1]: delivers nothing: route "r" sends the same to a (remove it, or move it up: the first route that sends something to a destination wins)`},
		"a route after one with a condition": {`routes: [{name: r, where: record.n == 1, to: [a]}, {name: s, to: [a, b]}]`, ``},
		"a model that the pack does not have": {`routes: [{name: r, models: [ITEMS, INVOICES], pack: rootfi/hubspot, to: [a, b]}]`,
			`test.yaml:3:53: warning: routes[0].pack: the pack rootfi/hubspot has nothing for ITEMS: this route does not take it (it has CONTACTS, CRM_CONTACTS, INVOICES, INVOICE_PAYMENTS)`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.Parse("test.yaml", []byte(twoDestinations+tt.text), resolver)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range f.Diagnostics {
				got = append(got, d.String())
			}
			if s := strings.Join(got, "\n"); s != tt.want {
				t.Errorf("got\n%s\nwant\n%s", s, tt.want)
			}
		})
	}
}

// A pack can be replaced field by field, and a group's mapping by its routes.
func TestMappingsAreTakenFromAround(t *testing.T) {
	c := parse(t, twoDestinations+`
routes:
  - name: g
    to: [a, b]
    pack: rootfi/hubspot
    constants: {pipeline: sales}
    for: {b: {object: things}}
    routes:
      - name: r
        models: [INVOICES]
        map: {amount: record.amount_due, pipeline: '"won"'}
        expand: line_items
`).Config
	r := c.Flat()[0]
	m, ok := r.Resolve("a", "INVOICES")
	if !ok || m.Object != "deals" || m.Map["amount"] != "record.amount_due" || m.Map["dealname"] == "" || m.Map["pipeline"] != `"won"` || len(m.Constants) != 0 || len(m.Expand) != 1 {
		t.Errorf("%+v", m)
	}
	if m, _ = r.Resolve("b", "INVOICES"); m.Object != "things" || m.Map["amount"] != "record.amount_due" {
		t.Errorf("for b: %+v", m)
	}
	if _, ok = r.Resolve("a", "ITEMS"); ok {
		t.Error("the pack has something for ITEMS")
	}
}
