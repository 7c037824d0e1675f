package sandbox

import (
	"math/rand/v2"
	"slices"
	"strconv"
)

// company is one connected company on its platform: its records, its clock and
// its own source of randomness, so that what one company says does not depend
// on the others.
type company struct {
	profile profile
	id      int64
	opts    Options
	rng     *rand.Rand
	now     int64 // milliseconds; grows with every webhook
	built   bool
	w       writer

	byModel map[string][]*record
	serial  map[string]int64
	unpaid  map[string][]*record // documents with something due, by model
	credit  map[string][]*record // credit notes with something left, by model
	lines   []line
	buried  []*record // deleted and not yet revived
	touched []change  // what new payments changed on their documents
	syncs   []*Sync
}

func newCompany(o Options, index int) *company {
	p := profiles[index%len(profiles)]
	p.currencies = append([]currency(nil), p.currencies...)
	return &company{
		profile: p,
		// Readable, and different for different seeds against one receiver.
		id:      int64(o.Seed%1_000_000+1)*1000 + int64(index) + 1,
		opts:    o,
		rng:     rand.New(rand.NewPCG(o.Seed, uint64(index)+1)),
		now:     o.Start.UnixMilli(),
		byModel: make(map[string][]*record),
		serial:  make(map[string]int64),
		unpaid:  make(map[string][]*record),
		credit:  make(map[string][]*record),
	}
}

// shares of the records that are left after the fixed ones, in percent. Bank
// transactions take the rest. There are fewer payments than documents, so that
// a payment always finds something unpaid.
var shares = []struct {
	model   string
	percent int
}{
	{items, 6}, {contacts, 13}, {invoices, 18}, {bills, 11}, {expenses, 6}, {invoiceCreditNotes, 3},
	{billCreditNotes, 2}, {invoicePayments, 12}, {billPayments, 7}, {journalEntries, 8},
}

// build makes the records that the platform has before the first sync.
func (c *company) build() {
	if c.built {
		return
	}
	c.built = true
	c.makeCompanyInfo()
	for i := range c.profile.currencies {
		c.makeCurrency(i)
	}
	for _, t := range c.profile.taxes {
		c.makeTaxRate(t)
	}
	for i := range segments {
		c.makeTrackingCategory(i)
	}
	for i := range max(len(chart), c.opts.Records/100) {
		c.makeAccount(i)
	}
	for i := range 2 {
		c.makeBankAccount(i)
	}
	left := c.opts.Records - c.count()
	for _, s := range shares {
		n := max(left*s.percent/100, 1)
		if s.model == journalEntries {
			n = max(n/3, 1) // each brings two or more lines
		}
		for range n {
			c.make(s.model)
		}
	}
	for c.count() < c.opts.Records {
		c.make(bankTransactions)
	}
	c.touched = nil // nothing was sent yet
	c.markOnce(c.byModel[expenses])
	c.markOnce(c.byModel[bankTransactions])
}

// markOnce reserves some records that nothing references for a single webhook,
// when there are v2 bodies to send.
func (c *company) markOnce(records []*record) {
	if !slices.Contains(c.opts.Generations, V2) {
		return
	}
	for _, r := range records {
		r.once = c.chance(3)
	}
}

func (c *company) count() int {
	n := 0
	for _, records := range c.byModel {
		n += len(records)
	}
	return n
}

// make adds one record of a model that grows over time. A journal entry brings
// its lines.
func (c *company) make(model string) *record {
	switch model {
	case items:
		return c.makeItem()
	case contacts:
		return c.makeContact()
	case invoices, bills, expenses, invoiceCreditNotes, billCreditNotes:
		return c.makeDocument(model)
	case invoicePayments:
		return c.makePayment(invoicePayments, invoices, invoiceCreditNotes)
	case billPayments:
		return c.makePayment(billPayments, bills, billCreditNotes)
	case journalEntries:
		return c.makeJournalEntry()
	default:
		return c.makeBankTransaction()
	}
}

// begin starts a record with an id of its own and the fields that all have.
func (c *company) begin(model string) *record {
	c.serial[model]++
	r := &record{model: model, platformID: c.platformID(model, c.serial[model]), changedAt: c.now}
	c.w.text("platform_id", r.platformID)
	if model == journalLines {
		return r
	}
	c.w.integer("rootfi_id", c.rootfiID(model, c.serial[model]))
	c.w.integer("rootfi_company_id", c.id)
	c.w.text("platform_unique_id", strconv.FormatInt(70_000+c.serial[model], 10))
	created := c.now - c.rng.Int64N(800)
	c.w.time("rootfi_created_at", created)
	c.w.time("rootfi_updated_at", created)
	c.w.literal("rootfi_deleted_at", "null")
	return r
}

func (c *company) finish(r *record) *record {
	r.fields = c.w.take()
	r.place = len(c.byModel[r.model])
	c.byModel[r.model] = append(c.byModel[r.model], r)
	return r
}

// rootfiID is beyond what a float64 can hold for some models: ids are 64 bits
// wide, and whoever reads them as floats shall be found out.
func (c *company) rootfiID(model string, serial int64) int64 {
	if model == bankTransactions || model == journalEntries || model == contacts {
		return 9_007_199_254_740_993 + serial
	}
	return c.id*100_000 + serial
}

func (c *company) platformID(model string, serial int64) string {
	switch c.profile.ids {
	case idGUID:
		b := append(make([]byte, 0, len(model)+37), model...)
		b = append(b, '_')
		return string(c.appendGUID(b))
	case idDigits:
		return strconv.FormatInt(3_770_712_000_000_080_000+serial, 10)
	default:
		return model + "_" + strconv.FormatInt(serial, 10)
	}
}

func (c *company) appendGUID(dst []byte) []byte {
	const hex = "0123456789abcdef"
	hi, lo := c.rng.Uint64(), c.rng.Uint64()
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			dst = append(dst, '-')
		}
		word := hi
		if i >= 16 {
			word = lo
		}
		dst = append(dst, hex[word>>(4*uint(i%16))&15])
	}
	return dst
}

// token is an id of an event, a job or a sync: 15 letters and digits.
func (c *company) token() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var b [15]byte
	for i := range b {
		b[i] = alphabet[c.rng.IntN(len(alphabet))]
	}
	return string(b[:])
}

// tick moves the clock. Two webhooks of a company never share a millisecond.
func (c *company) tick() int64 {
	c.now += 1 + c.rng.Int64N(20)
	return c.now
}

// chance is true in one of n cases.
func (c *company) chance(n int) bool { return c.rng.IntN(n) == 0 }

func pick[T any](c *company, from []T) T { return from[c.rng.IntN(len(from))] }

// living picks a record of the model that is not deleted and fits.
func (c *company) living(model string, fits func(*record) bool) *record {
	all := c.byModel[model]
	start := c.rng.IntN(len(all))
	for i := range all {
		r := all[(start+i)%len(all)]
		if !r.deleted && (fits == nil || fits(r)) {
			return r
		}
	}
	return nil
}

func (c *company) money(name string, cur *currency, minor int64) {
	c.w.field(name)
	c.w.buf = appendDecimal(c.w.buf, minor, cur.decimals, c.profile.keepZeros)
}

func (c *company) memberMoney(name string, cur *currency, minor int64) {
	c.w.member(name)
	c.w.buf = appendDecimal(c.w.buf, minor, cur.decimals, c.profile.keepZeros)
}

func (c *company) base() *currency { return &c.profile.currencies[0] }

// updatedAt is the platform's own clock, which knows no milliseconds.
func (c *company) updatedAt() { c.w.time("updated_at", c.now/1000*1000) }

const day = 24 * 60 * 60 * 1000

// dayBefore is midnight of one of the last n days.
func (c *company) dayBefore(n int64) int64 { return (c.now/day - 1 - c.rng.Int64N(n)) * day }
