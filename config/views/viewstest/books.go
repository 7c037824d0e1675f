package viewstest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/plugins/destination"
)

// books are records that go to a destination as Sluice would bring them.
type books struct {
	t        *testing.T
	to       destination.Destination
	plans    *mapping.Plans
	records  map[event.RecordKey]*event.Record
	children map[event.RecordKey]mapping.Children
}

func newBooks(t *testing.T, to destination.Destination) *books {
	t.Helper()
	return &books{t, to, Plans(t, "rootfi/warehouse"), map[event.RecordKey]*event.Record{}, map[event.RecordKey]mapping.Children{}}
}

// Plans are the mappings of a route named r to a destination named d that is
// nothing but a pack.
func Plans(t *testing.T, pack string) *mapping.Plans {
	t.Helper()
	f, err := config.Parse("pack.yaml", []byte(`
sources: {rootfi: {type: rootfi, auth: none}}
destinations: {d: {plugin: file}}
routes: [{name: r, to: [d], pack: `+pack+`}]
`), config.Resolver{})
	if err != nil || len(f.Diagnostics) > 0 {
		t.Fatal(err, f.Diagnostics)
	}
	plans, err := mapping.Compile(f.Config.Flat())
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

func keyOf(company, model, id string) event.RecordKey {
	return event.RecordKey{Source: "rootfi", CompanyID: company, Integration: "XERO", Model: model, PlatformID: id}
}

// put merges fields into a record and delivers it.
func (b *books) put(company, model, id, fields string) {
	b.t.Helper()
	r := b.record(keyOf(company, model, id))
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(fields), &values); err != nil {
		b.t.Fatalf("%s: %v", fields, err)
	}
	r.Written = event.Stamp{At: r.Version}
	for name, value := range values {
		r.Fields[name] = event.Field{Value: value, Stamp: r.Written, Version: r.Version}
	}
	b.deliver(r)
}

// remove deletes a record and delivers that.
func (b *books) remove(company, model, id string) {
	b.t.Helper()
	r := b.record(keyOf(company, model, id))
	r.Tombstone = event.Stamp{At: r.Version}
	b.deliver(r)
}

// record is the next version of a record.
func (b *books) record(key event.RecordKey) *event.Record {
	r := b.records[key]
	if r == nil {
		r = &event.Record{Key: key, Fields: make(map[string]event.Field)}
		b.records[key] = r
	}
	r.Version++
	return r
}

func (b *books) deliver(r *event.Record) {
	b.t.Helper()
	out, err := b.plans.For("r", "d", r.Key.Model).Record(mapping.Merged{
		Record: r, Delivered: r.Version - 1, Children: b.children[r.Key],
		Lookup: func(model, id string) *expr.Object {
			of := b.records[keyOf(r.Key.CompanyID, model, id)]
			if of == nil || of.Deleted() {
				return nil
			}
			return expr.NewObject(model, of.Visible())
		},
	})
	if err != nil {
		b.t.Fatalf("%s: %v", r.Key, err)
	}
	b.children[r.Key] = out.Now
	for _, p := range slices.Concat([]mapping.Part{out.Part}, out.Children) {
		results, err := b.to.Write(b.t.Context(), destination.Batch{
			Mode: p.Mode, Object: p.Object, KeyFields: p.KeyFields, Types: p.Types, Records: []destination.Record{p.Record},
		})
		if err != nil || len(results) != 1 || results[0].Kind != destination.Delivered {
			b.t.Fatalf("%s to %s: %v %v", r.Key, p.Object, results, err)
		}
	}
}

// fill writes the books of two companies, which use the same ids.
func (b *books) fill() {
	b.t.Helper()
	for line := range strings.Lines(strings.TrimSpace(documents)) {
		parts := strings.SplitN(strings.TrimSpace(line), " ", 4)
		b.put(parts[0], parts[1], parts[2], parts[3])
	}
}

// documents are a company, a model, an id and fields in each line. Some amounts
// are text, and zero is written in several ways, as in RootFi's own.
const documents = `
1 CURRENCIES eur {"name":"Euro","code":"EUR","is_base_currency":true}
1 CURRENCIES usd {"name":"Dollar","code":"USD"}
2 CURRENCIES eur {"name":"Pound","code":"GBP"}
1 CONTACTS c1 {"name":"Acme","contact_type":"CUSTOMER","phone_numbers":[{"number":"+1 5"}]}
1 CONTACTS c2 {"name":"Beta"}
2 CONTACTS c1 {"name":"Other"}
1 ACCOUNTS a1 {"name":"Debtors","nominal_code":"1200","category":"ASSET"}
1 ACCOUNTS a2 {"name":"Sales","nominal_code":"4000","category":"INCOME"}
1 INVOICES i1 {"document_number":"INV-1","status":"PARTIALLY_PAID","contact_id":"c1","currency_id":"eur","posted_date":"2026-03-01T12:00:00Z","due_date":"2026-03-31T12:00:00Z","total_amount":120.50,"amount_due":100.25,"line_items":[{"platform_id":"1","description":"Coffee","total_amount":100},{"platform_id":"2","description":"Cups","total_amount":20.5}]}
1 INVOICES i2 {"document_number":"INV-2","status":"OVERDUE","contact_id":"c1","currency_id":"eur","posted_date":"2026-02-10T12:00:00Z","due_date":"2026-02-10T12:00:00Z","total_amount":20.10,"amount_due":"20.10","line_items":[{"description":"Tea","total_amount":20.10}]}
1 INVOICES i3 {"document_number":"INV-3","status":"PAID","contact_id":"c1","currency_id":"eur","posted_date":"2026-02-11T12:00:00Z","total_amount":8,"amount_due":"0.00"}
1 INVOICES i4 {"document_number":"INV-4","status":"SUBMITTED","contact_id":"c2","currency_id":"usd","posted_date":"2026-02-12T12:00:00Z","due_date":"2026-04-01T12:00:00Z","total_amount":5,"amount_due":5}
1 INVOICES i5 {"document_number":"INV-5","status":"DRAFT","contact_id":"c2","currency_id":"usd","posted_date":"2026-02-13T12:00:00Z","total_amount":7,"amount_due":7}
1 INVOICES i6 {"document_number":"INV-6","contact_id":"gone","currency_id":"usd","posted_date":"2026-02-14T12:00:00Z","due_date":"2026-04-02T12:00:00Z","amount_due":-1.5}
1 INVOICES i7 {"document_number":"INV-7","status":"VOID","contact_id":"c2","amount_due":3,"posted_date":"2026-02-15T12:00:00Z"}
2 INVOICES i1 {"document_number":"INV-1","status":"SUBMITTED","contact_id":"c1","currency_id":"eur","posted_date":"2026-02-16T12:00:00Z","due_date":"2026-05-01T12:00:00Z","total_amount":9.99,"amount_due":9.99}
1 BILLS b1 {"document_number":"BILL-1","status":"SUBMITTED","contact_id":"c2","currency_id":"eur","due_date":"2026-03-02T12:00:00Z","total_amount":50,"amount_due":12345678901234.75}
1 BILLS b2 {"document_number":"BILL-2","status":"SUBMITTED","contact_id":"c2","currency_id":"eur","due_date":"2026-03-01T12:00:00Z","amount_due":1}
1 BILLS b3 {"document_number":"BILL-3","status":"PAID","contact_id":"c2","currency_id":"eur","due_date":"2026-03-01T12:00:00Z","amount_due":0}
1 INVOICE_PAYMENTS p1 {"invoice_id":"i1","amount":20.25,"payment_date":"2026-03-05T12:00:00Z","currency_id":"eur","document_number":"R-1"}
1 INVOICE_PAYMENTS p2 {"invoice_id":"nowhere","contact_id":"c2","amount":3,"payment_date":"2026-03-06T12:00:00Z"}
1 BILL_PAYMENTS q1 {"bill_id":"b1","amount":"4.50","payment_date":"2026-03-07T12:00:00Z"}
1 JOURNAL_ENTRIES j1 {"document_number":"JE-1","posted_date":"2026-03-01T12:00:00Z","currency_id":"eur"}
1 JOURNAL_LINES l1 {"journal_entry_id":"j1","account_id":"a1","type":"DEBIT","net_amount":120.50}
1 JOURNAL_LINES l2 {"journal_entry_id":"j1","account_id":"a2","type":"CREDIT","net_amount":"120.50"}
1 JOURNAL_LINES l3 {"journal_entry_id":"j9","account_id":"a9","type":"DEBIT","net_amount":1}
`

// filled is what views show of them: columns, then rows in any order.
var filled = map[string]string{
	"invoices_current": `
		_platform_id posted_date
		i1 2026-03-01
		i2 2026-02-10
		i3 2026-02-11
		i4 2026-02-12
		i5 2026-02-13
		i6 2026-02-14
		i7 2026-02-15
		i1 2026-02-16`,
	"invoice_lines_current": `
		_platform_id _item description total_amount
		i1 0 Coffee 100
		i1 1 Cups 20.5
		i2 0 Tea 20.1`,
	"contacts_current": `
		_platform_id name phone
		c1 Acme +1_5
		c2 Beta -
		c1 Other -`,
	"open_invoices": `
		document_number contact_id contact_name currency_code amount_due due_date
		INV-1 c1 Acme EUR 100.25 2026-03-31
		INV-2 c1 Acme EUR 20.1 2026-02-10
		INV-4 c2 Beta USD 5 2026-04-01
		INV-6 gone - USD -1.5 2026-04-02
		INV-1 c1 Other GBP 9.99 2026-05-01`,
	"receivables": `
		contact_id contact_name currency_code documents amount_due first_due_date
		c1 Acme EUR 2 120.35 2026-02-10
		c2 Beta USD 1 5 2026-04-01
		gone - USD 1 -1.5 2026-04-02
		c1 Other GBP 1 9.99 2026-05-01`,
	"open_bills": `
		document_number contact_name amount_due
		BILL-1 Beta 12345678901234.75
		BILL-2 Beta 1`,
	"payables": `
		contact_id contact_name currency_code documents amount_due first_due_date
		c2 Beta EUR 2 12345678901235.75 2026-03-01`,
	"invoice_payments_detailed": `
		_platform_id amount payment_date currency_code invoice_number invoice_date invoice_amount contact_id contact_name
		p1 20.25 2026-03-05 EUR INV-1 2026-03-01 120.5 c1 Acme
		p2 3 2026-03-06 - - - - c2 Beta`,
	"bill_payments_detailed": `
		_platform_id amount bill_number bill_amount contact_name
		q1 4.5 BILL-1 50 Beta`,
	"general_ledger": `
		_platform_id posted_date entry_number currency_code account_code account_name account_category type net_amount
		l1 2026-03-01 JE-1 EUR 1200 Debtors ASSET DEBIT 120.5
		l2 2026-03-01 JE-1 EUR 4000 Sales INCOME CREDIT 120.5
		l3 - - - - - - DEBIT 1`,
}
