package e2e

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// What the packs rootfi/hubspot and rootfi/salesforce make of the sandbox's
// records, written down once more, in Go: the packs are not asked what is right.

// said reads fields of one expected record.
type said struct {
	sandbox.Record
	currencies map[string]string // code by platform id
}

// text is a field as text, "" for none.
func (s said) text(names ...string) string {
	for _, name := range names {
		raw := s.Fields[name]
		var text string
		switch {
		case len(raw) == 0 || string(raw) == "null":
		case json.Unmarshal(raw, &text) == nil:
			return text
		default:
			return string(raw)
		}
	}
	return ""
}

// item is a member of the first item of a list; of a link, of the first of a kind.
func (s said) item(list, member, kind string) string {
	var items []map[string]json.RawMessage
	if json.Unmarshal(s.Fields[list], &items) != nil {
		return ""
	}
	for _, one := range items {
		item := said{Record: sandbox.Record{Fields: one}}
		if kind == "" || item.text("type") == kind {
			return item.text(member)
		}
	}
	return ""
}

func (s said) moment(names ...string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s.text(names...))
	if err != nil {
		return time.Time{}
	}
	return t
}

func (s said) day(name string) string {
	if t := s.moment(name); !t.IsZero() {
		return t.UTC().Format(time.DateOnly)
	}
	return ""
}

func (s said) millis(names ...string) string {
	if t := s.moment(names...); !t.IsZero() {
		return t.UTC().Format("2006-01-02T15:04:05.000Z") // as the fake shows it
	}
	return ""
}

// key is the pack's key of a record of the model.
func (s said) key(model, id string) string {
	return s.CompanyID + ":" + s.Integration + ":" + model + ":" + id
}

// crmState is records by object and key; a field without a value is left out.
type crmState map[string]map[string]map[string]string

func (c crmState) put(object, key string, fields map[string]string) {
	if c[object] == nil {
		c[object] = map[string]map[string]string{}
	}
	for name, value := range fields {
		if value == "" {
			delete(fields, name)
		}
	}
	c[object][key] = fields
}

// expectedCRM is what the two CRMs must hold of the living records.
func expectedCRM(records []sandbox.Record) (hubspot, salesforce crmState) {
	hubspot, salesforce = crmState{}, crmState{}
	currencies := map[string]string{}
	for _, r := range records {
		if r.Model == "CURRENCIES" {
			currencies[r.CompanyID+"/"+r.PlatformID] = said{Record: r}.text("code")
		}
	}
	for _, r := range records {
		if r.Deleted {
			continue
		}
		s := said{r, currencies}
		key := s.key(r.Model, r.PlatformID)
		currency := s.currencies[r.CompanyID+"/"+s.text("currency_id")]
		parent := func(model, field string) string {
			if id := s.text(field); id != "" {
				return s.key(model, id)
			}
			return ""
		}
		switch r.Model {
		case "CONTACTS":
			name, website := s.text("name", "contact_name", "platform_id"), s.item("external_links", "link", "WEBSITE")
			phone, place := s.item("phone_numbers", "number", ""), func(member string) string { return s.item("addresses", member, "") }
			hubspot.put("companies", key, map[string]string{
				"name": name, "phone": phone, "website": website, "address": place("street"), "city": place("city"),
				"state": place("state"), "zip": place("pincode"), "country": place("country"),
			})
			salesforce.put("Account", key, map[string]string{
				"Name": name, "Phone": phone, "Website": website, "BillingStreet": place("street"), "BillingCity": place("city"),
				"BillingState": place("state"), "BillingPostalCode": place("pincode"), "BillingCountry": place("country"),
			})
		case "INVOICES":
			stage := "contractsent"
			if strings.Trim(s.text("amount_due"), "0.") == "" && s.text("amount_due") != "" {
				stage = "closedwon"
			}
			title := s.text("document_number")
			if title == "" {
				title = r.PlatformID
			}
			hubspot.put("deals", key, map[string]string{
				"rootfi_contact_key": parent("CONTACTS", "contact_id"), "dealname": "Invoice " + title, "amount": s.text("total_amount"),
				"deal_currency_code": currency, "dealstage": stage, "closedate": s.millis("due_date", "posted_date"),
				"description": s.text("memo"), "pipeline": "default",
			})
			salesforce.put("Invoice__c", key, map[string]string{
				"Account__c": parent("CONTACTS", "contact_id"), "Number__c": s.text("document_number"), "Status__c": s.text("status"),
				"Total__c": s.text("total_amount"), "Tax__c": s.text("tax_amount"), "Amount_Due__c": s.text("amount_due"),
				"Currency__c": currency, "Posted__c": s.day("posted_date"), "Due__c": s.day("due_date"),
			})
		case "INVOICE_PAYMENTS":
			hubspot.put("payments", key, map[string]string{
				"rootfi_invoice_key": parent("INVOICES", "invoice_id"), "hs_initial_amount": s.text("amount"),
				"hs_initiated_date": s.millis("payment_date"), "hs_currency_code": currency,
			})
			salesforce.put("Payment__c", key, map[string]string{
				"Invoice__c": parent("INVOICES", "invoice_id"), "Amount__c": s.text("amount"), "Mode__c": s.text("payment_mode"),
				"Paid__c": s.day("payment_date"), "Currency__c": currency,
			})
		}
	}
	return hubspot, salesforce
}
