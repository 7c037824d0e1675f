package sandbox_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// books is the living state of the script, by company, model and id.
type books map[string]map[string]any

func read(t *testing.T, o sandbox.Options) books {
	t.Helper()
	out := make(books)
	for _, r := range sandbox.New(o).Expected() {
		if r.Deleted {
			continue
		}
		fields := make(map[string]any)
		for name, raw := range r.Fields {
			d := json.NewDecoder(strings.NewReader(string(raw)))
			d.UseNumber()
			var v any
			if err := d.Decode(&v); err != nil {
				t.Fatal(err)
			}
			fields[name] = v
		}
		out[r.CompanyID+"/"+r.Model+"/"+r.PlatformID] = fields
	}
	return out
}

func number(t *testing.T, v any) *big.Rat {
	t.Helper()
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%v is not a number", v)
	}
	return r
}

var targets = map[string][]string{
	"currency_id": {"CURRENCIES"}, "contact_id": {"CONTACTS"}, "account_id": {"ACCOUNTS"}, "from_account_id": {"ACCOUNTS"},
	"to_account_id": {"ACCOUNTS"}, "parent_account_id": {"ACCOUNTS"}, "invoice_id": {"INVOICES"}, "bill_id": {"BILLS"},
	"credit_note_id": {"INVOICE_CREDIT_NOTES", "BILL_CREDIT_NOTES"}, "item_id": {"ITEMS"}, "tax_id": {"TAX_RATES"},
	"tracking_category_ids": {"TRACKING_CATEGORIES"}, "parent_id": {"TRACKING_CATEGORIES"},
	"journal_entry_id": {"JOURNAL_ENTRIES"}, "invoice_ids": {"INVOICES"}, "bill_ids": {"BILLS"},
	"line_item_type_id": {"INVOICES", "BILLS", "EXPENSES", "INVOICE_CREDIT_NOTES", "BILL_CREDIT_NOTES"},
}

func TestForeignKeysResolve(t *testing.T) {
	t.Parallel()
	for name, phases := range map[string][]sandbox.Phase{
		"initial": {sandbox.PhaseInitial},
		"all":     sandbox.Phases,
		"long": {
			sandbox.PhaseInitial, sandbox.PhaseFull, sandbox.PhaseFull, sandbox.PhaseIncremental, sandbox.PhaseFull,
			sandbox.PhaseIncremental, sandbox.PhaseFull,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := read(t, sandbox.Options{Seed: 11, Companies: 5, Records: 300, Phases: phases})
			checked := 0
			for key, fields := range b {
				company, _, _ := strings.Cut(key, "/")
				checked += follow(t, b, key, company, fields)
			}
			if checked < 5000 {
				t.Errorf("only %d references", checked)
			}
		})
	}
}

// follow checks every reference in a record and in what is nested in it.
func follow(t *testing.T, b books, key, company string, fields map[string]any) (n int) {
	for name, value := range fields {
		models, isRef := targets[name]
		switch v := value.(type) {
		case string:
			if !isRef {
				continue
			}
			n++
			found := false
			for _, m := range models {
				_, ok := b[company+"/"+m+"/"+v]
				found = found || ok
			}
			if !found {
				t.Errorf("%s: %s=%s resolves to nothing", key, name, v)
			}
		case []any:
			for _, e := range v {
				switch e := e.(type) {
				case map[string]any:
					n += follow(t, b, key, company, e)
				case string:
					n += follow(t, b, key, company, map[string]any{name: e})
				}
			}
		case map[string]any:
			n += follow(t, b, key, company, v)
		}
	}
	return n
}

func TestTotalsAddUp(t *testing.T) {
	t.Parallel()
	for name, phases := range map[string][]sandbox.Phase{
		"initial": {sandbox.PhaseInitial},
		"growing": {sandbox.PhaseInitial, sandbox.PhaseIncremental, sandbox.PhaseIncremental},
		"full":    {sandbox.PhaseInitial, sandbox.PhaseIncremental, sandbox.PhaseFull, sandbox.PhaseFull},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := read(t, sandbox.Options{Seed: 23, Companies: 5, Records: 400, Phases: phases})
			paid := make(map[string]*big.Rat)
			pay := func(key string, amount *big.Rat) {
				if paid[key] == nil {
					paid[key] = new(big.Rat)
				}
				paid[key].Add(paid[key], amount)
			}
			documents := 0
			for key, r := range b {
				company, rest, _ := strings.Cut(key, "/")
				model, _, _ := strings.Cut(rest, "/")
				if _, ok := r["line_items"]; ok {
					documents++
					checkLines(t, key, r)
				}
				for field, of := range map[string]string{"invoice_id": "INVOICES", "bill_id": "BILLS"} {
					if id, ok := r[field].(string); ok {
						pay(company+"/"+of+"/"+id, number(t, r["amount"]))
					}
				}
				if id, ok := r["credit_note_id"].(string); ok {
					of := map[string]string{"INVOICE_PAYMENTS": "INVOICE_CREDIT_NOTES", "BILL_PAYMENTS": "BILL_CREDIT_NOTES"}[model]
					pay(company+"/"+of+"/"+id, number(t, r["amount"]))
				}
				if name != "full" && model == "JOURNAL_LINES" { // a revived entry comes without its lines
					pay(company+"/JOURNAL_ENTRIES/"+r["journal_entry_id"].(string)+r["type"].(string), number(t, r["net_amount"]))
				}
			}
			if documents < 500 {
				t.Errorf("only %d documents", documents)
			}
			for key, r := range b {
				for _, open := range []string{"amount_due", "remaining_credit"} {
					if r[open] == nil || r["total_amount"] == nil {
						continue
					}
					want := number(t, r["total_amount"])
					if p := paid[key]; p != nil {
						want.Sub(want, p)
					}
					if got := number(t, r[open]); got.Cmp(want) != 0 || got.Sign() < 0 {
						t.Errorf("%s: %s is %v, want %v", key, open, got.FloatString(4), want.FloatString(4))
					}
				}
				if name != "full" && strings.Contains(key, "/JOURNAL_ENTRIES/") {
					want := number(t, r["amount"])
					if paid[key+"DEBIT"].Cmp(want) != 0 || paid[key+"CREDIT"].Cmp(want) != 0 {
						t.Errorf("%s: lines do not balance", key)
					}
				}
			}
		})
	}
}

func checkLines(t *testing.T, key string, r map[string]any) {
	t.Helper()
	sums := map[string]*big.Rat{}
	for _, l := range r["line_items"].([]any) {
		line := l.(map[string]any)
		for _, name := range []string{"sub_total", "tax_amount", "total_discount", "total_amount"} {
			if sums[name] == nil {
				sums[name] = new(big.Rat)
			}
			sums[name].Add(sums[name], number(t, line[name]))
		}
		want := new(big.Rat).Mul(number(t, line["quantity"]), number(t, line["unit_amount"]))
		want.Sub(want, number(t, line["total_discount"]))
		if want.Cmp(number(t, line["sub_total"])) != 0 {
			t.Errorf("%s: a line's sub_total is %v, want %v", key, line["sub_total"], want.FloatString(4))
		}
		want.Add(want, number(t, line["tax_amount"]))
		if want.Cmp(number(t, line["total_amount"])) != 0 {
			t.Errorf("%s: a line's total_amount is %v, want %v", key, line["total_amount"], want.FloatString(4))
		}
	}
	for name, want := range sums {
		if r[name] != nil && number(t, r[name]).Cmp(want) != 0 {
			t.Errorf("%s: %s is %v, but its lines make %v", key, name, r[name], want.FloatString(4))
		}
	}
}

// Values that catch careless receivers must really occur.
func TestValuesThatCatchReceivers(t *testing.T) {
	t.Parallel()
	all := string(joinBodies(sandbox.New(sandbox.Options{Seed: 1, Companies: 5, Records: 400})))
	for what, text := range map[string]string{
		"ids beyond a float64":     `"rootfi_id":90071992547409`,
		"amounts beyond a float64": `:900719925474099`,
		"trailing zeros":           `.50,`,
		"nulls":                    `"memo":null`,
		"quotes":                   `O'Brien \"The Plumber\" & Daughters`,
		"backslashes":              `Back\\slash Media`,
		"angle brackets":           `<Angle> Brackets LLC`,
		"Arabic":                   `شركة النور`,
		"Japanese":                 `株式会社`,
		"beyond the basic plane":   `🌻`,
		"a tab":                    `\u0009`,
		"an amount as text":        `"amount":"`,
	} {
		if !strings.Contains(all, text) {
			t.Errorf("no %s: %q never occurs", what, text)
		}
	}
}

func joinBodies(s *sandbox.Sandbox) []byte {
	var out []byte
	for _, b := range bodiesOf(s) {
		out = append(append(out, b...), '\n')
	}
	return out
}
