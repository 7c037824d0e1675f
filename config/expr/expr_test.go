package expr_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/internal/event"
	"pgregory.net/rapid"
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

var update = flag.Bool("update", false, "rewrite the reference page")

func TestReferenceIsCurrent(t *testing.T) {
	const page = "../../docs/reference/functions.md"
	if *update {
		if err := os.WriteFile(page, expr.Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != string(expr.Reference()) {
		t.Errorf("%s is not current (%v): go test ./config/expr -update rewrites it", page, err)
	}
}

// What the reference page names of CEL is there.
func TestFunctionsOfCELAreThere(t *testing.T) {
	for source, want := range map[string]string{
		`"abc".charAt(1) + "a,b".split(",")[1] + " x ".trim() + "ab".reverse()`: `"bbxba"`,
		`[3, 1, 3].distinct().size()`:                                           `2`,
		`[2, 1].sort()`:                                                         `[1,2]`,
		`[[1], [2]].flatten()`:                                                  `[1,2]`,
		`[1, 2, 3].slice(1, 3)`:                                                 `[2,3]`,
		`base64.encode(b"hi")`:                                                  `"aGk="`,
		`"INV-7".matches("^INV-[0-9]+$")`:                                       `true`,
		`[1, 2].exists_one(x, x > 1)`:                                           `true`,
		`timestamp("2026-03-09T01:02:03Z").getMonth()`:                          `2`,
		`string(1.50) + string(7) + string(true)`:                               `"1.507true"`,
		`int("7") + int(decimal("3"))`:                                          `10`,
		`"abcabc".lastIndexOf("b") + "ab".indexOf("b")`:                         `5`,
		`"a".replace("a", "b").upperAscii().substring(0, 1)`:                    `"B"`,
		`strings.quote("x")`:                                                    `"\"x\""`,
		`duration("1h") > duration("59m") && type(1) == int`:                    `true`,
	} {
		p, err := expr.Compile(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := p.JSON(vars(t)); err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", source, got, err, want)
		}
	}
}

// Decimals compute as integers of the smallest unit do.
func TestDecimalsAreExact(t *testing.T) {
	sum, err := expr.Compile(`record.a + record.b`)
	if err != nil {
		t.Fatal(err)
	}
	less, err := expr.Compile(`record.a < record.b`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(-1e15, 1e15).Draw(t, "a"), rapid.Int64Range(-1e15, 1e15).Draw(t, "b")
		cents := func(n int64) string {
			sign := ""
			if n < 0 {
				sign, n = "-", -n
			}
			return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
		}
		v := &expr.Vars{Record: expr.NewObject("", map[string]json.RawMessage{"a": json.RawMessage(cents(a)), "b": json.RawMessage(cents(b))})}
		if got, err := sum.JSON(v); err != nil || string(got) != cents(a+b) {
			t.Fatalf("%s + %s: got %s, %v", cents(a), cents(b), got, err)
		}
		if got, err := less.Bool(v); err != nil || got != (a < b) {
			t.Fatalf("%s < %s: got %v, %v", cents(a), cents(b), got, err)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`record.a > 1.5`, `related("X", 1).b`, `[1,2].map(x, x + 1.0)`, `1e400`, `-.5`, `"` + strings.Repeat("(", 300), `{"a": 1}.a`, "a ? b : c"} {
		f.Add(s, `{"a":1}`)
	}
	f.Fuzz(func(t *testing.T, source, record string) {
		p, err := expr.Compile(source)
		if err != nil {
			return
		}
		fields := map[string]json.RawMessage{}
		if json.Unmarshal([]byte(record), &fields) != nil {
			return
		}
		out, err := p.JSON(&expr.Vars{Record: expr.NewObject("INVOICES", fields)})
		if err == nil && !json.Valid(out) {
			t.Errorf("%s over %s: %s is no JSON", source, record, out)
		}
	})
}
