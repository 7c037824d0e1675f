package sqltest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Benchmark writes batches of 1,000 invoices, each of them twice, and reports rows
// per second.
func Benchmark(b *testing.B, d destination.Destination, sets int) {
	b.Helper()
	BenchmarkOf(b, d, sets, 1000)
}

// BenchmarkOf is Benchmark with batches of another size.
func BenchmarkOf(b *testing.B, d destination.Destination, sets, size int) {
	b.Helper()
	n := 0
	for b.Loop() {
		batch := invoices(n/2*size, size, int64(n+1), sets)
		results, err := d.Write(b.Context(), batch)
		if err != nil || results[0].Kind != destination.Delivered {
			b.Fatal(err, results)
		}
		n++
	}
	b.ReportMetric(float64(n*size)/b.Elapsed().Seconds(), "rows/s")
}

// invoices makes a batch of n records of 16 fields with one of several sets of
// fields each.
func invoices(first, n int, version int64, sets int) destination.Batch {
	batch := destination.Batch{
		Mode: destination.ModeRecords, Object: "invoices",
		KeyFields: []string{"_company_id", "_integration_type", "_platform_id"},
		Types: map[string]destination.FieldType{
			"total_amount": destination.TypeNumber, "sub_total": destination.TypeNumber, "tax_amount": destination.TypeNumber,
			"amount_due": destination.TypeNumber, "total_discount": destination.TypeNumber, "currency_rate": destination.TypeNumber,
			"posted_date": destination.TypeTimestamp, "due_date": destination.TypeTimestamp, "updated_at": destination.TypeTimestamp,
			"currency_id": destination.TypeText, "contact_id": destination.TypeText, "document_number": destination.TypeText,
			"memo": destination.TypeText, "status": destination.TypeText,
			"sales_order_ids": destination.TypeJSON, "line_items": destination.TypeJSON,
		},
	}
	for i := range n {
		id := fmt.Sprintf("inv-%08d", first+i)
		fields := map[string]json.RawMessage{
			"total_amount": json.RawMessage(fmt.Sprintf("%d.10", i)), "sub_total": json.RawMessage("1234.56"), "tax_amount": json.RawMessage("12.34"),
			"amount_due": json.RawMessage("99.90"), "total_discount": json.RawMessage("0"), "currency_rate": json.RawMessage("1.0834"),
			"posted_date": json.RawMessage(`"2026-03-01T00:00:00.000Z"`), "due_date": json.RawMessage(`"2026-03-31T00:00:00.000Z"`), "updated_at": json.RawMessage(`"2026-03-02T10:11:12.345Z"`),
			"currency_id": json.RawMessage(`"EUR"`), "contact_id": json.RawMessage(`"contact-4711"`), "document_number": json.RawMessage(`"2026-00815"`),
			"memo": json.RawMessage(`"March, as agreed"`), "status": json.RawMessage(`"OPEN"`),
			"sales_order_ids": json.RawMessage(`["so-1"]`), "line_items": json.RawMessage(`[{"item_id":"item-1","quantity":2,"unit_amount":617.28,"description":"Consulting"}]`),
		}
		if s := i % sets; s > 0 {
			fields[fmt.Sprintf("extra_%d", s)] = json.RawMessage("1")
		}
		batch.Records = append(batch.Records, destination.Record{
			Key: []string{"4711", "XERO", id}, Operation: destination.Upsert, Version: version, Fields: fields,
			IdempotencyKey: id, OccurredAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		})
	}
	return batch
}
