package postgres_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// BenchmarkAppend is the acceptance of one-KB webhooks by a server that syncs
// each commit to disk, by 32 senders that each wait for the answer.
func BenchmarkAppend(b *testing.B) {
	l := open(b, postgres.Options{URL: pgtest.Own(b).URL()})
	body := bytes.Repeat([]byte("x"), 1000)
	var n atomic.Int64
	b.SetParallelism(16) // times GOMAXPROCS
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := uint64(n.Add(1))
			_, err := l.Append(b.Context(), event.Event{
				Source: "rootfi", ID: fmt.Sprintf("%016x-%016x", i*0x9E3779B97F4A7C15, i), Kind: event.KindDataModelChanges,
				Format: "rootfi/v3b", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", Operation: event.Update,
				SyncID: "c0ffee00-0000-4000-8000-000000000000", Records: 1, Body: body, ReceivedAt: time.Now(),
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// BenchmarkDeliver takes records through Apply, Claim and Settle, 500 at a
// time: ns/op is per record.
func BenchmarkDeliver(b *testing.B) {
	l := open(b, postgres.Options{URL: pgtest.Own(b).URL()})
	fields := make(map[string]json.RawMessage)
	for i := range 20 {
		fields[fmt.Sprintf("field_%02d", i)] = json.RawMessage(fmt.Sprintf(`"value %d of the field"`, i))
	}
	route := func(ledger.Merged) []ledger.Want { return []ledger.Want{{Destination: "warehouse", Route: "all"}} }
	const size = 500
	b.ResetTimer()
	for done := 0; done < b.N; done += size {
		if _, err := l.Append(b.Context(), event.Event{Source: "rootfi", ID: fmt.Sprint(done)}); err != nil {
			b.Fatal(err)
		}
		batch, _, err := l.ClaimBatch(b.Context(), size)
		if err != nil {
			b.Fatal(err)
		}
		if done > 0 {
			fields["field_00"] = json.RawMessage(fmt.Sprint(done))
		}
		changes := make([]event.Change, size)
		for i := range changes {
			changes[i] = event.Change{
				Key: event.RecordKey{
					Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES",
					PlatformID: fmt.Sprintf("INVOICES_%d", (done+i)%20000),
				},
				Operation: event.Update, Stamp: event.Stamp{At: batch.ID, Seq: batch.FirstSeq, Index: int64(i)}, Fields: fields,
			}
		}
		if _, err := l.Apply(b.Context(), ledger.Application{Batch: batch.ID, Changes: changes, Route: route, Final: true, Revision: "r1"}); err != nil {
			b.Fatal(err)
		}
		c, err := l.Claim(b.Context(), ledger.ClaimRequest{Destination: "warehouse", Batch: batch.ID, Limit: size, Lease: time.Minute})
		if err != nil || len(c.Items) != size {
			b.Fatal(len(c.Items), err)
		}
		outcomes := make([]ledger.Outcome, size)
		for i, d := range c.Items {
			outcomes[i] = ledger.Outcome{DeliveryID: d.ID, Result: ledger.OutcomeDelivered, Version: d.Record.Version}
		}
		if err := l.Settle(b.Context(), c.Token, outcomes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
