package sandbox

// currency of a company. Rates are text: nothing here is computed with them.
type currency struct {
	code, name, symbol string
	decimals           int
	rate               string
	record             *record
}

// profile of a company's platform and country.
type profile struct {
	integration string
	country     string
	city        string
	dial        string
	currencies  []currency // the first is the base currency
	taxes       []tax
	keepZeros   bool // amounts as 1250.50, not 1250.5
	ids         idStyle
}

type idStyle int

const (
	idNumbered idStyle = iota // INVOICES_243
	idGUID                    // INVOICES_5f1c…
	idDigits                  // 3770712000000080069
)

type tax struct {
	name, code string
	kind       string
	components []component
}

type component struct {
	name string
	rate int64 // thousandths of a percent
}

var profiles = []profile{
	{
		integration: "XERO", country: "New Zealand", city: "Ōtautahi Christchurch", dial: "+64 3 ", ids: idGUID,
		currencies: []currency{
			{code: "NZD", name: "New Zealand Dollar", symbol: "$", decimals: 2, rate: "1"},
			{code: "AUD", name: "Australian Dollar", symbol: "A$", decimals: 2, rate: "1.0934"},
			{code: "JPY", name: "Japanese Yen", symbol: "¥", decimals: 0, rate: "0.011873"},
		},
		taxes: []tax{
			{"GST on Income", "OUTPUT2", "OUTPUT", []component{{"GST", 15000}}},
			{"Zero Rated", "ZERORATED", "OUTPUT", []component{{"Zero", 0}}},
		},
	},
	{
		integration: "QUICKBOOKS", country: "United States", city: "Albuquerque", dial: "+1 505 ", keepZeros: true,
		currencies: []currency{
			{code: "USD", name: "United States Dollar", symbol: "$", decimals: 2, rate: "1"},
			{code: "CAD", name: "Canadian Dollar", symbol: "C$", decimals: 2, rate: "0.7312"},
			{code: "EUR", name: "Euro", symbol: "€", decimals: 2, rate: "1.08455"},
		},
		taxes: []tax{
			{"New York City", "NYC", "SALES", []component{{"State", 4000}, {"City", 4500}, {"MTA", 375}}},
			{"California", "CA", "SALES", []component{{"State", 7250}}},
			{"Exempt", "EX", "SALES", []component{{"Exempt", 0}}},
		},
	},
	{
		integration: "ZOHO_BOOKS", country: "India", city: "बेंगलुरु", dial: "+91 80 ", ids: idDigits,
		currencies: []currency{
			{code: "INR", name: "Indian Rupee", symbol: "₹", decimals: 2, rate: "1"},
			{code: "USD", name: "United States Dollar", symbol: "$", decimals: 2, rate: "83.1042"},
		},
		taxes: []tax{
			{"GST18", "GST18", "GST", []component{{"CGST", 9000}, {"SGST", 9000}}},
			{"GST5", "GST5", "GST", []component{{"CGST", 2500}, {"SGST", 2500}}},
			{"IGST0", "IGST0", "GST", []component{{"IGST", 0}}},
		},
	},
	{
		integration: "WAFEQ", country: "Bahrain", city: "المنامة", dial: "+973 17", keepZeros: true,
		currencies: []currency{
			{code: "BHD", name: "Bahraini Dinar", symbol: "BD", decimals: 3, rate: "1"},
			{code: "SAR", name: "Saudi Riyal", symbol: "﷼", decimals: 2, rate: "0.10026"},
		},
		taxes: []tax{
			{"VAT", "VAT10", "OUTPUT", []component{{"VAT", 10000}}},
			{"Out of scope", "OOS", "OUTPUT", []component{{"None", 0}}},
		},
	},
	{
		integration: "NETSUITE", country: "Deutschland", city: "Köln", dial: "+49 221 ",
		currencies: []currency{
			{code: "EUR", name: "Euro", symbol: "€", decimals: 2, rate: "1"},
			{code: "CHF", name: "Schweizer Franken", symbol: "CHF", decimals: 2, rate: "1.06371"},
			{code: "GBP", name: "British Pound", symbol: "£", decimals: 2, rate: "1.1938"},
		},
		taxes: []tax{
			{"Umsatzsteuer 19 %", "UST19", "OUTPUT", []component{{"USt", 19000}}},
			{"Umsatzsteuer 7 %", "UST7", "OUTPUT", []component{{"USt", 7000}}},
		},
	},
}

var (
	firstWords = []string{
		"Northwind", "Kōwhai", "Müller", "Sakura", "Blue Harbour", "Ægir", "Zażółć", "Île-de-Ré", "Atlas", "Señorío",
		"Hawke's Bay", "Øresund", "Pōhutukawa", "Ravensthorpe", "Łódź", "Kirkwood", "Ganga", "Tui", "Old Mill", "Çınar",
	}
	secondWords = []string{
		"Trading", "Foods", "& Söhne", "Logistics", "Joinery", "Electric", "Bakery", "Consulting", "Fisheries", "Printing",
		"Roofing", "Textiles", "Vineyards", "Dental", "Software", "Gardens",
	}
	suffixes   = []string{"Ltd", "GmbH", "LLC", "S.A.", "A/S", "Pty Ltd", "Inc.", "Sp. z o.o.", "Pvt. Ltd."}
	wholeNames = []string{
		"株式会社 山田商店", "شركة النور للتجارة", "Кафе «Пушкин»", "O'Brien \"The Plumber\" & Daughters", "🌻 Sunflower Co-op",
		"<Angle> Brackets LLC", "Back\\slash Media", "Société d'Électricité", "ΑΒΓ Ναυτιλιακή", "מאפיית לחם",
	}
	people = []string{
		"Anahera Ngata", "Jürgen Weiß", "María-José Núñez", "Nguyễn Thị Hạnh", "Siobhán O'Neill", "Ольга Иванова",
		"田中 花子", "Priya Iyer", "Łukasz Żak", "عائشة الخليفة", "Björn Åkesson", "Thandiwe Dlamini",
	}
	streets  = []string{"High Street", "Straße des 17. Juni", "Rue de l'Église", "Queen's Road", "MG Road", "Marine Parade"}
	products = []string{
		"Crème brûlée set", "Oak desk", "Consulting hour", "Pallet hire", "USB-C cable 2 m", "Roof tile \"Rustic\"", "Olive oil 5 l",
		"Annual licence", "Freight", "Installation", "Ceramic mug", "Paper A4 500 sheets", "Site survey", "Wool blanket",
	}
	memos = []string{
		"Thank you for your business", "Payable within 30 days; 2 % discount within 10", "As agreed on the phone",
		"Lieferung frei Haus", "Second line\nwith a tab\tin it", "ご確認ください", "PO 4500018273 / cost centre 12",
	}
	paymentModes = []string{"BANK_TRANSFER", "CARD", "CASH", "CHECK", "DIRECT_DEBIT"}
	banks        = []string{"Kiwibank", "Sparkasse KölnBonn", "First National", "HDFC", "بنك البحرين الوطني"}
)

type accountPlan struct{ name, category, sub string }

var chart = []accountPlan{
	{"Checking account", "BANK", "Bank"}, {"Savings account", "BANK", "Bank"},
	{"Sales", "INCOME", "Revenue"}, {"Services", "INCOME", "Revenue"},
	{"Cost of goods sold", "EXPENSE", "Direct costs"}, {"Rent", "EXPENSE", "Overheads"},
	{"Trade debtors", "ASSET", "Current assets"}, {"Trade creditors", "LIABILITY", "Current liabilities"},
	{"Retained earnings", "EQUITY", "Equity"}, {"Travel & entertainment", "EXPENSE", "Overheads"},
	{"Office équipement", "ASSET", "Fixed assets"}, {"Wages", "EXPENSE", "Payroll"},
}

var segments = []string{"Region", "North", "South", "Department", "Sales", "R&D"}
