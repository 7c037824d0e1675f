package bench

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// message is a data-model webhook of RootFi v3 that is written once and then
// only gets new ids: a generator that shares the machine must cost little. It
// belongs to one goroutine.
type message struct {
	body    []byte
	event   []byte   // the digits of the event's id, within body
	records [][]byte // the digits of each record's platform id, within body
}

const (
	digits      = 10
	idPrefix    = "bench"    // of the event
	recordStart = "INVOICE_" // of the record
	oneKB       = 1024       // length of a message with one record
)

// newMessage writes a message with so many invoices. A later `created` makes it
// say the same again, as a full sync does.
func newMessage(records int, operation string, created time.Time) *message {
	var b bytes.Buffer
	zeros := strings.Repeat("0", digits)
	fmt.Fprintf(&b, `{"rootfi_id":"%s%s","created_at":"%s","company_id":4711,"integration_type":"XERO",`+
		`"job_id":"Hc81mVs0wYbT4uL","sync_id":"n5Kq2Xe7rWfD1aZ","data_model":"INVOICES","type":"%s",`+
		`"no_of_records":%d,"webhook_type":"DATA_MODEL_CHANGES","data":[`,
		idPrefix, zeros, created.UTC().Format("2006-01-02T15:04:05.000Z"), operation, records)
	for i := range records {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"platform_id":"%s%s","document_number":"INV-2026-0731","contact_id":"CONTACTS_77",`+
			`"currency_id":"USD","status":"SUBMITTED","posted_date":"2026-03-01T00:00:00.000Z",`+
			`"due_date":"2026-03-31T00:00:00.000Z","sub_total":1180.50,"tax_amount":118.05,"total_discount":0.00,`+
			`"total_amount":1298.55,"amount_due":1298.55,"memo":"`, recordStart, zeros)
		const rest = `","line_items":[{"item_id":"ITEMS_1","description":"Consulting, March","quantity":8,` +
			`"unit_amount":120.00,"total_amount":960.00},{"item_id":"ITEMS_9","description":"Travel","quantity":1,` +
			`"unit_amount":220.50,"total_amount":220.50}],"updated_at":"2026-03-01T10:00:00.000Z"}`
		pad := 0
		if records == 1 {
			pad = max(0, oneKB-b.Len()-len(rest)-len("]}"))
		}
		b.WriteString(strings.Repeat("Payable within thirty days. ", pad/28+1)[:pad])
		b.WriteString(rest)
	}
	b.WriteString("]}")

	m := &message{body: b.Bytes()}
	at := bytes.Index(m.body, []byte(idPrefix)) + len(idPrefix)
	m.event = m.body[at : at+digits]
	for from := at; ; {
		i := bytes.Index(m.body[from:], []byte(recordStart))
		if i < 0 {
			return m
		}
		from += i + len(recordStart)
		m.records = append(m.records, m.body[from:from+digits])
	}
}

// with returns the body for an event, whose records are numbered from first on.
// It is valid until the next call.
func (m *message) with(event, first int64) []byte {
	number(m.event, event)
	for i, id := range m.records {
		number(id, first+int64(i))
	}
	return m.body
}

func number(dst []byte, n int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
}
