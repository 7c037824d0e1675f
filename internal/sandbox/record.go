package sandbox

import "slices"

// The data models, in an order in which every reference points back.
var models = []string{
	companyInfo, currencies, taxRates, trackingCategories, accounts, bankAccounts, items, contacts,
	invoices, bills, expenses, invoiceCreditNotes, billCreditNotes, invoicePayments, billPayments,
	journalEntries, journalLines, bankTransactions,
}

const (
	companyInfo        = "COMPANY_INFO"
	currencies         = "CURRENCIES"
	taxRates           = "TAX_RATES"
	trackingCategories = "TRACKING_CATEGORIES"
	accounts           = "ACCOUNTS"
	bankAccounts       = "BANK_ACCOUNTS"
	items              = "ITEMS"
	contacts           = "CONTACTS"
	invoices           = "INVOICES"
	bills              = "BILLS"
	expenses           = "EXPENSES"
	invoiceCreditNotes = "INVOICE_CREDIT_NOTES"
	billCreditNotes    = "BILL_CREDIT_NOTES"
	invoicePayments    = "INVOICE_PAYMENTS"
	billPayments       = "BILL_PAYMENTS"
	journalEntries     = "JOURNAL_ENTRIES"
	journalLines       = "JOURNAL_LINES"
	bankTransactions   = "BANK_TRANSACTIONS"
)

// record is a record as the accounting platform has it now, whole. What the
// webhooks have said of it so far is kept elsewhere, in truth.
type record struct {
	model      string
	platformID string
	place      int // among the records of its model
	fields     []field
	changedAt  int64 // milliseconds

	kind     string // category of an account, type of a contact
	currency *currency
	rate     int64 // of a tax rate, thousandths of a percent
	amount   int64 // minor units
	open     int64 // of documents and credit notes: what is not paid or used

	parents []*record // what it references
	refs    int       // how many living records reference it
	lines   []*record // journal lines that live and die with their entry
	once    bool      // gets a single webhook in its life
	sent    bool      // was in a webhook
	deleted bool
}

// set replaces the list of fields rather than its elements: webhooks that were
// written before keep what they said.
func (r *record) set(fields []field) {
	r.fields = slices.Clone(r.fields)
next:
	for _, f := range fields {
		for i := range r.fields {
			if r.fields[i].name == f.name {
				r.fields[i].value = f.value
				continue next
			}
		}
		r.fields = append(r.fields, f)
	}
}

// refer notes that r references the parent and returns the parent's id.
func (r *record) refer(parent *record) string {
	r.parents = append(r.parents, parent)
	parent.refs++
	return parent.platformID
}

func (r *record) remove() {
	r.deleted = true
	for _, p := range r.parents {
		p.refs--
	}
}

func (r *record) revive() {
	r.deleted = false
	for _, p := range r.parents {
		p.refs++
	}
}

// change is one element of a webhook's data.
type change struct {
	record *record
	fields []field // platform_id is among them
}
