package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

func (c *company) makeCompanyInfo() *record {
	r := c.begin(companyInfo)
	name := c.businessName()
	c.w.text("name", name)
	c.w.text("legal_name", name)
	c.w.text("tax_number", c.digits(9))
	c.w.text("base_currency", c.base().code)
	c.w.time("fiscal_start_at", c.now/day*day-60*day)
	c.w.time("org_created_at", c.dayBefore(3000))
	c.w.literal("registration_number", "null")
	c.updatedAt()
	return c.finish(r)
}

func (c *company) makeCurrency(i int) {
	cur := &c.profile.currencies[i]
	r := c.begin(currencies)
	c.w.text("name", cur.name)
	c.w.text("code", cur.code)
	c.w.text("symbol", cur.symbol)
	c.w.boolean("is_base_currency", i == 0)
	c.w.literal("exchange_rate", cur.rate)
	c.updatedAt()
	cur.record = c.finish(r)
}

func (c *company) makeTaxRate(t tax) {
	r := c.begin(taxRates)
	c.w.text("name", t.name)
	c.w.text("code", t.code)
	c.w.text("tax_type", t.kind)
	for _, part := range t.components {
		r.rate += part.rate
	}
	c.w.field("effective_tax_rate")
	c.w.buf = appendDecimal(c.w.buf, r.rate, 3, false)
	c.w.field("total_tax_rate")
	c.w.buf = appendDecimal(c.w.buf, r.rate, 3, false)
	c.w.field("components")
	c.w.open('[')
	for _, part := range t.components {
		c.w.element()
		c.w.open('{')
		c.w.memberText("name", part.name)
		c.w.member("rate")
		c.w.buf = appendDecimal(c.w.buf, part.rate, 3, false)
		c.w.memberLiteral("tax_agency", "null")
		c.w.memberLiteral("is_compound", "false")
		c.w.close('}')
	}
	c.w.close(']')
	c.updatedAt()
	c.finish(r)
}

func (c *company) makeTrackingCategory(i int) {
	r := c.begin(trackingCategories)
	c.w.text("name", segments[i])
	c.w.text("status", "ACTIVE")
	if i%3 == 0 {
		c.w.literal("parent_id", "null")
	} else {
		c.w.text("parent_id", r.refer(c.byModel[trackingCategories][i/3*3]))
	}
	c.w.boolean("has_children", i%3 == 0)
	c.updatedAt()
	c.finish(r)
}

func (c *company) makeAccount(i int) {
	plan := chart[i%len(chart)]
	r := c.begin(accounts)
	r.kind = plan.category
	r.currency = c.base()
	name, parent := plan.name, (*record)(nil)
	if i >= len(chart) {
		name = fmt.Sprintf("%s %d", plan.name, i/len(chart)+1)
		parent = c.byModel[accounts][i%len(chart)]
	}
	c.w.text("name", name)
	c.w.literal("description", "null")
	c.w.text("nominal_code", strconv.Itoa(1000+i*10))
	c.money("current_balance", c.base(), c.rng.Int64N(900_000_00)-200_000_00)
	c.w.text("status", "ACTIVE")
	c.w.text("category", plan.category)
	c.w.text("sub_category", plan.sub)
	c.w.text("currency_id", r.refer(c.base().record))
	if parent == nil {
		c.w.literal("parent_account_id", "null")
	} else {
		c.w.text("parent_account_id", r.refer(parent))
	}
	c.updatedAt()
	c.finish(r)
}

func (c *company) makeBankAccount(i int) {
	r := c.begin(bankAccounts)
	r.currency = c.base()
	c.w.text("institution_name", pick(c, banks))
	c.w.text("account_name", chart[i].name)
	c.w.text("account_number", "00"+c.digits(10))
	c.money("balance", c.base(), c.rng.Int64N(500_000_00))
	c.w.text("currency_id", r.refer(c.base().record))
	c.w.text("category", "CHECKING")
	c.updatedAt()
	c.finish(r)
}

func (c *company) makeItem() *record {
	r := c.begin(items)
	r.amount = 4 * (1 + c.rng.Int64N(120_00))
	r.currency = c.base()
	c.w.text("name", pick(c, products)+" "+strconv.FormatInt(c.serial[items], 10))
	c.w.optional("description", c.maybe(memos))
	c.w.text("status", "ACTIVE")
	c.w.text("type", pick(c, []string{"INVENTORY", "NON_INVENTORY", "SERVICE"}))
	c.w.text("code", "SKU-"+c.digits(6))
	c.quantityOnHand()
	c.w.literal("is_bill_item", "true")
	c.itemDetail("bill_item", r, "EXPENSE", r.amount/2)
	c.w.literal("is_invoice_item", "true")
	c.itemDetail("invoice_item", r, "INCOME", r.amount)
	c.updatedAt()
	return c.finish(r)
}

func (c *company) quantityOnHand() {
	c.w.field("quantity_on_hand")
	c.w.buf = appendDecimal(c.w.buf, c.rng.Int64N(4000), 1, false)
}

func (c *company) itemDetail(name string, r *record, category string, price int64) {
	c.w.field(name)
	c.w.open('{')
	c.w.memberText("tax_id", r.refer(c.living(taxRates, nil)))
	c.w.memberText("account_id", r.refer(c.account(category)))
	c.memberMoney("unit_price", c.base(), price)
	c.w.memberLiteral("description", "null")
	c.w.close('}')
}

func (c *company) account(category string) *record {
	return c.living(accounts, func(r *record) bool { return r.kind == category })
}

func (c *company) makeContact() *record {
	r := c.begin(contacts)
	// The first two make sure that there is one of each type.
	r.kind = "CUSTOMER"
	if n := len(c.byModel[contacts]); n == 1 || n > 1 && c.chance(3) {
		r.kind = "VENDOR"
	}
	r.currency = c.base()
	if c.chance(6) {
		r.currency = &c.profile.currencies[c.rng.IntN(len(c.profile.currencies))]
	}
	c.w.text("name", c.businessName())
	c.w.text("contact_name", pick(c, people))
	c.w.text("contact_type", r.kind)
	c.w.text("currency_id", r.refer(r.currency.record))
	if c.chance(4) {
		c.w.literal("tax_number", "null")
	} else {
		c.w.text("tax_number", c.digits(9))
	}
	c.w.literal("registration_number", "null")
	c.w.text("status", "ACTIVE")
	c.links(r)
	c.phones(r)
	c.addresses(r)
	c.updatedAt()
	return c.finish(r)
}

func (c *company) links(r *record) {
	c.w.field("external_links")
	c.w.open('[')
	if !c.chance(5) {
		c.w.element()
		c.w.open('{')
		c.w.memberText("platform_id", r.platformID+"_EMAIL")
		c.w.memberText("link", "accounts+"+c.digits(4)+"@example.com")
		c.w.memberText("type", "EMAIL")
		c.w.close('}')
	}
	if c.chance(3) {
		c.w.element()
		c.w.open('{')
		c.w.memberText("platform_id", r.platformID+"_WEB")
		c.w.memberText("link", "https://example.com/?q="+c.digits(3)+"&x=<1>")
		c.w.memberText("type", "WEBSITE")
		c.w.close('}')
	}
	c.w.close(']')
}

func (c *company) phones(r *record) {
	c.w.field("phone_numbers")
	c.w.open('[')
	for i := range c.rng.IntN(3) {
		c.w.element()
		c.w.open('{')
		c.w.memberInteger("rootfi_id", c.rng.Int64N(1<<62))
		c.w.memberText("platform_id", r.platformID+"_PHONE_"+strconv.Itoa(i))
		c.w.memberText("number", c.profile.dial+c.digits(6))
		c.w.memberText("type", pick(c, []string{"MOBILE", "TELEPHONE", "FAX"}))
		c.w.close('}')
	}
	c.w.close(']')
}

func (c *company) addresses(r *record) {
	c.w.field("addresses")
	c.w.open('[')
	for i := range c.rng.IntN(3) {
		c.w.element()
		c.w.open('{')
		c.w.memberInteger("rootfi_id", c.rng.Int64N(1<<62))
		c.w.memberText("platform_id", r.platformID+"_ADDRESS_"+strconv.Itoa(i))
		c.w.memberText("street", c.digits(2)+" "+pick(c, streets))
		c.w.memberLiteral("locality", "null")
		c.w.memberText("city", c.profile.city)
		c.w.memberLiteral("state", "null")
		c.w.memberText("pincode", c.digits(5))
		c.w.memberText("country", c.profile.country)
		c.w.close('}')
	}
	c.w.close(']')
}

func (c *company) businessName() string {
	if c.chance(8) {
		return pick(c, wholeNames)
	}
	return strings.Join([]string{pick(c, firstWords), pick(c, secondWords), pick(c, suffixes)}, " ")
}

// maybe picks a text, or none in one of three cases.
func (c *company) maybe(from []string) string {
	if c.chance(3) {
		return ""
	}
	return pick(c, from)
}

func (c *company) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + c.rng.IntN(10))
	}
	return string(b)
}
