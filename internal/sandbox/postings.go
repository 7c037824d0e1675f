package sandbox

import "strconv"

// makeJournalEntry makes an entry and its lines: debits equal credits equal the
// entry's amount.
func (c *company) makeJournalEntry() *record {
	r := c.begin(journalEntries)
	r.currency = c.base()
	r.amount = 2 + c.rng.Int64N(50_000_00)
	if c.chance(20) {
		// Too many digits for a float64.
		r.amount = 900_719_925_474_099_301 + 2*c.rng.Int64N(1000)
	}
	c.w.text("account_id", r.refer(c.living(accounts, nil)))
	c.money("amount", r.currency, r.amount)
	c.w.text("currency_id", r.refer(r.currency.record))
	c.w.text("journal_entry_type", pick(c, []string{"MANUAL", "DEPRECIATION", "PAYROLL"}))
	c.w.optional("description", c.maybe(memos))
	c.w.literal("currency_rate", r.currency.rate)
	c.w.time("posted_date", c.dayBefore(300))
	c.w.text("document_number", "JE-"+strconv.FormatInt(c.serial[journalEntries], 10))
	c.updatedAt()
	c.finish(r)

	half := r.amount
	if c.chance(3) {
		half = 1 + c.rng.Int64N(r.amount-1)
	}
	c.makeJournalLine(r, "DEBIT", half)
	if rest := r.amount - half; rest > 0 {
		c.makeJournalLine(r, "DEBIT", rest)
	}
	c.makeJournalLine(r, "CREDIT", r.amount)
	return r
}

func (c *company) makeJournalLine(entry *record, kind string, amount int64) {
	r := c.begin(journalLines)
	r.currency, r.amount = entry.currency, amount
	c.w.text("journal_entry_id", r.refer(entry))
	c.w.text("account_id", r.refer(c.living(accounts, nil)))
	if c.chance(3) {
		c.w.text("contact_id", r.refer(c.living(contacts, nil)))
	} else {
		c.w.literal("contact_id", "null")
	}
	c.w.literal("tax_id", "null")
	c.w.literal("tracking_category_ids", "[]")
	c.w.text("type", kind)
	c.w.optional("description", c.maybe(memos))
	c.money("net_amount", r.currency, amount)
	c.money("tax_amount", r.currency, 0)
	c.updatedAt()
	entry.lines = append(entry.lines, c.finish(r))
}

func (c *company) makeBankTransaction() *record {
	r := c.begin(bankTransactions)
	r.currency = c.base()
	r.amount = 1 + c.rng.Int64N(90_000_00)
	if c.chance(3) {
		c.w.literal("contact_id", "null")
	} else {
		c.w.text("contact_id", r.refer(c.living(contacts, nil)))
	}
	bank := c.account("BANK")
	direction := pick(c, []string{"DEBIT", "CREDIT"})
	c.w.text("account_id", r.refer(bank))
	if direction == "DEBIT" {
		c.w.text("from_account_id", r.refer(bank))
		c.w.text("to_account_id", r.refer(c.account("EXPENSE")))
	} else {
		c.w.text("from_account_id", r.refer(c.account("INCOME")))
		c.w.text("to_account_id", r.refer(bank))
	}
	c.w.text("currency_id", r.refer(r.currency.record))
	c.money("amount", r.currency, r.amount)
	c.w.text("type", pick(c, []string{"TRANSFER", "FEE", "DEPOSIT", "PAYMENT"}))
	c.w.text("debit_or_credit", direction)
	c.w.text("status", "PENDING")
	c.w.literal("currency_rate", r.currency.rate)
	c.w.time("transaction_date", c.dayBefore(90))
	c.updatedAt()
	return c.finish(r)
}

// mutate makes a real change to a record and returns the changed fields.
func (c *company) mutate(r *record) []field {
	switch r.model {
	case contacts:
		switch c.rng.IntN(4) {
		case 0:
			c.w.text("contact_name", pick(c, people))
			c.phones(r)
		case 1:
			c.w.text("status", pick(c, []string{"ACTIVE", "ARCHIVED"}))
		case 2:
			c.w.optional("tax_number", c.maybe([]string{c.digits(9)}))
			c.links(r)
		default:
			c.addresses(r)
		}
	case items:
		c.quantityOnHand()
		if c.chance(2) {
			c.w.optional("description", c.maybe(memos))
		}
	case accounts:
		c.money("current_balance", r.currency, c.rng.Int64N(900_000_00)-200_000_00)
	case bankAccounts:
		c.money("balance", r.currency, c.rng.Int64N(500_000_00))
	case invoices, bills:
		c.w.optional("memo", c.maybe(memos))
		if c.chance(2) {
			c.w.time("due_date", c.now/day*day+c.rng.Int64N(30)*day)
		}
	case expenses, invoicePayments, billPayments:
		c.w.optional("memo", c.maybe(memos))
		c.w.text("payment_mode", pick(c, paymentModes))
	case invoiceCreditNotes, billCreditNotes:
		c.w.optional("memo", c.maybe(memos))
	case journalEntries, journalLines:
		c.w.optional("description", c.maybe(memos))
	case bankTransactions:
		c.w.text("status", pick(c, []string{"CLEARED", "RECONCILED"}))
	case currencies:
		if r != c.base().record {
			c.w.field("exchange_rate")
			c.w.buf = appendDecimal(c.w.buf, 1+c.rng.Int64N(2_000_000), 6, false)
		}
	case companyInfo:
		c.w.text("legal_name", c.businessName())
	default:
		c.w.text("name", pick(c, products))
	}
	return c.commit(r)
}

// commit takes the written fields, with the times of the change, into the record.
func (c *company) commit(r *record) []field {
	c.updatedAt()
	if r.model != journalLines {
		c.w.time("rootfi_updated_at", c.now)
	}
	fields := c.w.take()
	r.set(fields)
	r.changedAt = c.now
	return fields
}
