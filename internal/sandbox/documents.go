package sandbox

import "strconv"

// line of a document. Amounts are in minor units, so sums are exact.
type line struct {
	item, account, tax, segment                        *record
	quantity, unit, discount, subTotal, taxAmount, sum int64 // quantity in quarters
}

// makeDocument makes an invoice, a bill, an expense or a credit note. Its
// totals are the sums of its lines.
func (c *company) makeDocument(model string) *record {
	r := c.begin(model)
	side, category := "CUSTOMER", "INCOME"
	if model == bills || model == expenses || model == billCreditNotes {
		side, category = "VENDOR", "EXPENSE"
	}
	var original *record
	switch model {
	case invoiceCreditNotes:
		original = c.living(invoices, nil)
	case billCreditNotes:
		original = c.living(bills, nil)
	}
	contact := c.living(contacts, func(r *record) bool { return r.kind == side })
	if original != nil {
		contact = original.parents[0] // every document references its contact first
	}
	r.currency = contact.currency
	total := c.makeLines(category, r.currency)
	r.amount, r.open = total.sum, total.sum

	c.w.text("contact_id", r.refer(contact))
	c.w.text("currency_id", r.refer(r.currency.record))
	c.w.text("document_number", documentPrefix[model]+strconv.FormatInt(10_000+c.serial[model], 10))
	posted := c.dayBefore(400)
	c.w.time("posted_date", posted)
	c.w.optional("memo", c.maybe(memos))
	switch model {
	case invoices, bills:
		c.w.time("due_date", posted+30*day)
		c.w.text("status", "SUBMITTED")
		c.w.literal("currency_rate", r.currency.rate)
		c.money("amount_due", r.currency, r.open)
		if model == invoices {
			c.w.literal("sales_order_ids", "[]")
		} else {
			c.w.literal("purchase_order_ids", "[]")
		}
	case expenses:
		c.w.text("account_id", r.refer(c.account("BANK")))
		c.w.text("payment_mode", pick(c, paymentModes))
		c.w.literal("currency_rate", r.currency.rate)
	default:
		c.w.text("status", "SUBMITTED")
		c.money("remaining_credit", r.currency, r.open)
		if model == invoiceCreditNotes {
			c.w.field("invoice_ids")
		} else {
			c.w.field("bill_ids")
		}
		c.w.open('[')
		c.w.buf = appendString(c.w.buf, r.refer(original))
		c.w.close(']')
	}
	if model == invoices || model == bills || model == expenses {
		c.money("total_discount", r.currency, total.discount)
		c.money("sub_total", r.currency, total.subTotal)
	}
	c.money("tax_amount", r.currency, total.taxAmount)
	c.money("total_amount", r.currency, total.sum)
	c.writeLines(r)
	c.updatedAt()

	switch model {
	case invoices, bills:
		c.unpaid[model] = append(c.unpaid[model], r)
	case invoiceCreditNotes, billCreditNotes:
		c.credit[model] = append(c.credit[model], r)
	}
	return c.finish(r)
}

var documentPrefix = map[string]string{
	invoices: "INV-", bills: "BILL-", expenses: "EXP-", invoiceCreditNotes: "CN-", billCreditNotes: "VCN-",
}

// makeLines fills c.lines and returns their sums.
func (c *company) makeLines(category string, cur *currency) (total line) {
	c.lines = c.lines[:0]
	for range 1 + c.rng.IntN(4) {
		l := line{
			item: c.living(items, nil), account: c.account(category), tax: c.living(taxRates, nil),
			quantity: 4 * (1 + c.rng.Int64N(12)),
		}
		// A multiple of four, so that quarters of it are whole minor units.
		l.unit = l.item.amount
		if c.chance(5) {
			l.quantity = 1 + c.rng.Int64N(40)
		}
		if c.chance(3) {
			l.segment = c.living(trackingCategories, nil)
		}
		gross := l.quantity * l.unit / 4
		if c.chance(4) {
			l.discount = gross / 10
		}
		l.subTotal = gross - l.discount
		l.taxAmount = (l.subTotal*l.tax.rate + 50_000) / 100_000
		l.sum = l.subTotal + l.taxAmount
		c.lines = append(c.lines, l)
		total.discount += l.discount
		total.subTotal += l.subTotal
		total.taxAmount += l.taxAmount
		total.sum += l.sum
	}
	return total
}

func (c *company) writeLines(r *record) {
	c.w.field("line_items")
	c.w.open('[')
	for i, l := range c.lines {
		c.w.element()
		c.w.open('{')
		c.w.memberText("platform_id", r.platformID+"_LINE_"+strconv.Itoa(i+1))
		c.w.memberText("line_item_type", r.model)
		c.w.memberText("line_item_type_id", r.platformID)
		c.w.memberText("item_id", r.refer(l.item))
		c.w.memberText("tax_id", r.refer(l.tax))
		c.w.memberText("account_id", r.refer(l.account))
		c.w.member("tracking_category_ids")
		c.w.open('[')
		if l.segment != nil {
			c.w.buf = appendString(c.w.buf, r.refer(l.segment))
		}
		c.w.close(']')
		c.w.memberLiteral("project_id", "null")
		c.w.memberText("description", products[int(l.unit)%len(products)])
		c.w.member("quantity")
		c.w.buf = appendDecimal(c.w.buf, l.quantity*25, 2, false)
		c.memberMoney("unit_amount", r.currency, l.unit)
		c.memberMoney("total_discount", r.currency, l.discount)
		c.memberMoney("sub_total", r.currency, l.subTotal)
		c.memberMoney("tax_amount", r.currency, l.taxAmount)
		c.memberMoney("total_amount", r.currency, l.sum)
		c.w.close('}')
	}
	c.w.close(']')
}

// makePayment pays a document in whole or in part, sometimes out of a credit
// note, and settles both. It falls back to a document of its own when nothing
// is unpaid.
func (c *company) makePayment(model, documents, notes string) *record {
	for len(c.unpaid[documents]) == 0 {
		c.makeDocument(documents)
	}
	i := c.rng.IntN(len(c.unpaid[documents]))
	document := c.unpaid[documents][i]
	amount := document.open
	if c.chance(3) && amount > 1 {
		amount = 1 + c.rng.Int64N(amount-1)
	}
	note, at := c.creditFor(document, notes)
	if note != nil {
		amount = min(amount, note.open)
	}

	r := c.begin(model)
	r.currency, r.amount = document.currency, amount
	c.w.text("payment_id", "PAY-"+c.digits(8))
	if model == invoicePayments {
		c.w.text("invoice_id", r.refer(document))
		c.money("amount", r.currency, amount)
	} else {
		c.w.text("bill_id", r.refer(document))
		// The vendor's type of this one amount is string.
		c.w.field("amount")
		c.w.open('"')
		c.w.buf = appendDecimal(c.w.buf, amount, r.currency.decimals, c.profile.keepZeros)
		c.w.close('"')
	}
	c.w.text("account_id", r.refer(c.account("BANK")))
	if note == nil {
		c.w.literal("credit_note_id", "null")
	} else {
		c.w.text("credit_note_id", r.refer(note))
	}
	c.w.text("payment_mode", pick(c, paymentModes))
	c.w.text("currency_id", r.refer(r.currency.record))
	c.w.text("currency_rate", r.currency.rate)
	c.w.optional("memo", c.maybe(memos))
	c.w.time("payment_date", c.dayBefore(60))
	c.w.text("contact_id", r.refer(document.parents[0]))
	c.w.optional("document_number", "")
	c.updatedAt()
	c.finish(r)

	c.settle(document, -amount, "amount_due")
	if document.open == 0 {
		c.unpaid[documents] = remove(c.unpaid[documents], i)
	}
	if note != nil {
		c.settle(note, -amount, "remaining_credit")
		if note.open == 0 {
			c.credit[notes] = remove(c.credit[notes], at)
		}
	}
	return r
}

// creditFor finds a credit note in the document's currency, now and then.
func (c *company) creditFor(document *record, notes string) (*record, int) {
	if !c.chance(4) {
		return nil, 0
	}
	for i, n := range c.credit[notes] {
		if n.parents[0] == document.parents[0] && !n.deleted && n.open > 0 {
			return n, i
		}
	}
	return nil, 0
}

// settle changes what is open of a document.
func (c *company) settle(r *record, by int64, openField string) {
	r.open += by
	status := "PARTIALLY_PAID"
	switch r.open {
	case 0:
		status = "PAID"
	case r.amount:
		status = "SUBMITTED"
	}
	c.money(openField, r.currency, r.open)
	c.w.text("status", status)
	c.touched = append(c.touched, change{r, c.commit(r)})
}

func remove[T any](s []T, i int) []T {
	s[i] = s[len(s)-1]
	return s[:len(s)-1]
}
