package expr_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/internal/event"
)

func fields(t testing.TB, text string) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func vars(t testing.TB) *expr.Vars {
	return &expr.Vars{
		Event: &event.Event{Source: "rootfi", Kind: event.KindDataModelChanges, CompanyID: "4711"},
		Record: expr.NewObject("INVOICES", fields(t, `{"document_number":"INV-7","memo":null,"total_amount":12345678901234567.89,
			"sub_total":"10.50","due_date":"2026-01-31T00:00:00.000Z","contact_id":"c1","status":"PAID","custom":{"a":{"b":1.50}},
			"line_items":[{"id":"l1","total_amount":1.10},{"id":"l2","total_amount":2.20}],"ids":["a","b"],"nums":[1,2.0]}`)),
		Lookup: func(model, id string) *expr.Object {
			if model == "CONTACTS" && id == "c1" {
				return expr.NewObject(model, map[string]json.RawMessage{"name": json.RawMessage(`"Acme"`)})
			}
			return nil
		},
	}
}

func TestValues(t *testing.T) {
	for source, want := range map[string]string{
		`record.total_amount`:                               `12345678901234567.89`,
		`record.total_amount + 0.01`:                        `12345678901234567.90`,
		`record.total_amount > 12345678901234567.88`:        `true`,
		`record.total_amount > 12345678901234567`:           `true`,
		`12345678901234567.885 < record.total_amount`:       `true`,
		`record.total_amount == 12345678901234567.89`:       `true`,
		`12345678901234567.89 == record.total_amount`:       `true`,
		`record.total_amount != 12345678901234567.88`:       `true`,
		`record.sub_total == 10.5`:                          `true`,
		`10.5 == record.sub_total`:                          `true`,
		`record.sub_total in [1, 2]`:                        `false`,
		`record.sub_total in [10.5, 2.0]`:                   `true`,
		`2 in record.nums`:                                  `true`,
		`record.nums == [1, 2]`:                             `true`,
		`1 in [1, 2]`:                                       `true`,
		`0.1 + 0.2 == 0.3`:                                  `true`,
		`1.10 + 1.10`:                                       `2.20`,
		`1 / 4`:                                             `0.25`,
		`100 / 4`:                                           `25`,
		`1000 / 1`:                                          `1000`,
		`10 % 3`:                                            `1`,
		`-record.sub_total`:                                 `-10.50`,
		`-1.5 + 1`:                                          `-0.5`,
		`1.5e3 == 1500`:                                     `true`,
		`record.memo == null`:                               `true`,
		`record.absent == null`:                             `true`,
		`null == record.absent`:                             `true`,
		`has(record.absent)`:                                `false`,
		`has(record.memo)`:                                  `true`,
		`record.memo + "x"`:                                 `null`,
		`record.tax_amount * 2`:                             `null`,
		`record.tax_amount > 2`:                             `false`,
		`record.memo.upperAscii()`:                          `null`,
		`size(record.memo)`:                                 `null`,
		`record.absent.deeper.still`:                        `null`,
		`record.custom.a.b`:                                 `1.50`,
		`record.custom.a.b + 1`:                             `2.50`,
		`record.custom.none.b`:                              `null`,
		`record.custom`:                                     `{"a":{"b":1.50}}`,
		`record.line_items.map(l, l.total_amount)`:          `[1.10,2.20]`,
		`sum(record.line_items.map(l, l.total_amount))`:     `3.30`,
		`record.line_items.filter(l, l.total_amount > 2)`:   `[{"id":"l2","total_amount":2.20}]`,
		`record.line_items.exists(l, l.id == "l2")`:         `true`,
		`record.line_items.size() == 2`:                     `true`,
		`record.line_items[1].id`:                           `"l2"`,
		`record.absent.map(a, a.b)`:                         `[]`,
		`record.absent.exists(a, a == 1) || !record.absent`: `true`,
		`record.memo.contains("x") ? 1 : 2`:                 `2`,
		`record.absent && true`:                             `false`,
		`record.line_items.all(l, l.total_amount > 1 && has(l.id))`:  `true`,
		`record.line_items.filter(l, l.nothing).size()`:              `0`,
		`record.ids.join("-")`:                                       `"a-b"`,
		`{"n": record.sub_total, "a": 1}`:                            `{"a":1,"n":10.50}`,
		`record.status == "PAID" ? "won" : "open"`:                   `"won"`,
		`related("CONTACTS", record.contact_id).name`:                `"Acme"`,
		`related("CONTACTS", record.memo).name`:                      `null`,
		`related("CONTACTS", "none").name`:                           `null`,
		`related("CONTACTS", "none") == null`:                        `true`,
		`event.company_id + "/" + event.kind`:                        `"4711/data_model_changes"`,
		`event.status == null`:                                       `true`,
		`previous == null`:                                           `true`,
		`previous.status == "PAID"`:                                  `false`,
		`date(record.due_date) < date("2026-02-01")`:                 `true`,
		`date("2026-02-01") - date("2026-01-31") == duration("24h")`: `true`,
		`"Zürich\n" + "\"q\" <&>"`:                                   `"Zürich\n\"q\" <&>"`,
		`text(record.total_amount)`:                                  `"12345678901234567.89"`,
	} {
		p, err := expr.Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := p.JSON(vars(t))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", source, got, err, want)
		}
		if _, err := expr.Check(source, expr.Scope{Model: "INVOICES"}); err != nil {
			t.Errorf("%s: against the catalog: %v", source, err)
		}
	}
}

func TestExamplesOfFunctions(t *testing.T) {
	for _, f := range expr.Functions() {
		if len(f.Examples) == 0 || f.Doc == "" || !strings.HasPrefix(f.Signature, f.Name+"(") {
			t.Errorf("%s is not documented", f.Name)
		}
		for _, e := range f.Examples {
			p, err := expr.Compile(e[0])
			if err != nil {
				t.Errorf("%s: %v", e[0], err)
				continue
			}
			if got, err := p.JSON(vars(t)); err != nil || string(got) != e[1] {
				t.Errorf("%s: got %s (%v), want %s", e[0], got, err, e[1])
			}
		}
	}
}
