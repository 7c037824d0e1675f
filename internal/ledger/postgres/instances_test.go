package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// destination is what a destination sees of all instances: at most one write per
// record at a time, and versions that only grow.
//
// Invariant 3: at most one write in flight per record and destination.
type destination struct {
	t        *testing.T
	mu       sync.Mutex
	inFlight map[string]bool
	version  map[string]int64
}

func (d *destination) begin(items []ledger.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range items {
		id := i.Record.Key.PlatformID
		if d.inFlight[id] {
			d.t.Errorf("two writes of record %s are under way", id)
		}
		if i.Record.Version < d.version[id] {
			d.t.Errorf("version %d of record %s comes after version %d", i.Record.Version, id, d.version[id])
		}
		d.inFlight[id], d.version[id] = true, i.Record.Version
	}
}

func (d *destination) end(items []ledger.Delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range items {
		d.inFlight[i.Record.Key.PlatformID] = false
	}
}

// changes are those of some events: each sets a field of one of forty records.
func changes(refs []ledger.EventRef) []event.Change {
	var out []event.Change
	for _, r := range refs {
		out = append(out, event.Change{
			Key:       event.RecordKey{Source: "rootfi", Model: "INVOICES", PlatformID: fmt.Sprint(r.Seq % 40)},
			Operation: event.Update, Stamp: event.Stamp{At: r.Seq, Seq: r.Seq},
			Fields: map[string]json.RawMessage{fmt.Sprint("f", r.Seq%3): json.RawMessage(fmt.Sprint(r.Seq))},
		})
	}
	return out
}

func toD(ledger.Merged) []ledger.Want { return []ledger.Want{{Destination: "d", Route: "r"}} }

// Several instances append the same events, claim batches, apply them, some twice
// at the same time, and deliver: in the end everything was done once.
func TestInstancesShareTheWork(t *testing.T) {
	const instances, events, senders = 3, 1500, 4
	opts := postgres.Options{URL: pgtest.URL(t), MaxConnections: 8}
	all := make([]*postgres.Ledger, instances)
	for i := range all {
		all[i] = open(t, opts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d := &destination{t: t, inFlight: map[string]bool{}, version: map[string]int64{}}
	var mu sync.Mutex
	seqs := make(map[string]int64)  // of events
	claimed := make(map[int64]bool) // sequence numbers
	fresh, applied := 0, 0
	fail := func(err error) bool {
		if err != nil && ctx.Err() == nil {
			t.Error(err)
			cancel()
		}
		return err != nil
	}
	var wg, work sync.WaitGroup
	for _, l := range all {
		for s := range senders {
			wg.Go(func() { // each event is sent by every instance
				for i := s; i < events; i += senders {
					id := fmt.Sprint("event-", i)
					a, err := l.Append(ctx, event.Event{Source: "rootfi", ID: id, Body: []byte("{}")})
					if fail(err) {
						return
					}
					mu.Lock()
					if old, ok := seqs[id]; ok && old != a.Seq {
						t.Errorf("%s has the sequence numbers %d and %d", id, old, a.Seq)
					}
					seqs[id] = a.Seq
					if !a.Duplicate {
						fresh++
					}
					mu.Unlock()
				}
			})
		}
		done := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return applied == events || ctx.Err() != nil
		}
		apply := func(b ledger.Batch) {
			half := len(b.Events) / 2
			for i, refs := range [][]ledger.EventRef{b.Events[:half], b.Events[half:]} {
				in := ledger.Application{Batch: b.ID, Changes: changes(refs), Route: toD, Final: i == 1, Revision: "1"}
				var twice sync.WaitGroup
				for _, by := range []*postgres.Ledger{l, all[rand.IntN(instances)]} {
					twice.Go(func() {
						_, err := by.Apply(ctx, in)
						fail(err)
					})
				}
				twice.Wait()
			}
		}
		work.Go(func() {
			for !done() {
				b, ok, err := l.ClaimBatch(ctx, 1+rand.IntN(60))
				if fail(err) {
					return
				}
				if !ok {
					select {
					case <-l.Signal():
					case <-time.After(50 * time.Millisecond):
					}
					continue
				}
				mu.Lock()
				for _, r := range b.Events {
					if claimed[r.Seq] {
						t.Errorf("event %d is in two batches", r.Seq)
					}
					claimed[r.Seq] = true
				}
				mu.Unlock()
				apply(b)
				mu.Lock()
				applied += len(b.Events)
				mu.Unlock()
			}
		})
		for range 2 {
			work.Go(func() {
				for {
					finished := done()
					c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: "d", Limit: 1 + rand.IntN(12), Lease: time.Minute})
					if fail(err) || finished && len(c.Items) == 0 {
						return
					}
					d.begin(c.Items)
					var outcomes []ledger.Outcome
					for _, i := range c.Items {
						o := ledger.Outcome{DeliveryID: i.ID, Result: ledger.OutcomeDelivered, Version: i.Record.Version}
						if rand.IntN(5) == 0 {
							o = ledger.Outcome{DeliveryID: i.ID, Result: ledger.OutcomeRetry}
						}
						outcomes = append(outcomes, o)
					}
					d.end(c.Items)
					if fail(l.Settle(ctx, c.Token, outcomes)) {
						return
					}
				}
			})
		}
	}
	wg.Wait()
	work.Wait()
	if fresh != events || len(claimed) != events {
		t.Fatalf("%d events were new and %d claimed, want %d", fresh, len(claimed), events)
	}
	drain(t, all[0])
	checkRecords(t, all[1], seqs)
	checkTables(t, opts.URL)
}

// drain delivers what others left because it was held when they looked.
func drain(t *testing.T, l *postgres.Ledger) {
	t.Helper()
	for {
		c, err := l.Claim(t.Context(), ledger.ClaimRequest{Destination: "d", Limit: 100, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Items) == 0 {
			break
		}
		var outcomes []ledger.Outcome
		for _, i := range c.Items {
			outcomes = append(outcomes, ledger.Outcome{DeliveryID: i.ID, Result: ledger.OutcomeDelivered, Version: i.Record.Version})
		}
		if err := l.Settle(t.Context(), c.Token, outcomes); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := l.Undone(t.Context(), 0, 10); err != nil || len(b) != 0 {
		t.Errorf("undone %+v, %v", b, err)
	}
}

// checkRecords compares with one merge of everything.
func checkRecords(t *testing.T, l *postgres.Ledger, seqs map[string]int64) {
	t.Helper()
	want := make(map[string]*event.Record)
	for _, seq := range seqs {
		for _, c := range changes([]ledger.EventRef{{Seq: seq}}) {
			if want[c.Key.PlatformID] == nil {
				want[c.Key.PlatformID] = &event.Record{Key: c.Key}
			}
			want[c.Key.PlatformID].Merge(c)
		}
	}
	for id, w := range want {
		got, err := l.RecordsByKey(t.Context(), event.RecordKey{PlatformID: id})
		if err != nil || len(got) != 1 {
			t.Fatalf("record %s: %+v, %v", id, got, err)
		}
		for name, f := range w.Fields {
			if g := got[0].Fields[name]; string(g.Value) != string(f.Value) {
				t.Errorf("record %s: %s is %s, want %s", id, name, g.Value, f.Value)
			}
		}
		if s := got[0].Deliveries[0]; s.State != "delivered" || s.Delivered != got[0].Version {
			t.Errorf("record %s at version %d: %+v", id, got[0].Version, s)
		}
	}
}

// checkTables has the ledger checked, and that no lease is left of what does not
// wait.
func checkTables(t testing.TB, url string) {
	t.Helper()
	for _, f := range findings(t, url) {
		t.Errorf("%s: %s: %s", f.Check, f.Object, f.Problem)
	}
	if n := query[int64](t, url, `SELECT count(*) FROM leases l WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = l.delivery AND d.state = 0)`); n != 0 {
		t.Errorf("%d leases of what does not wait", n)
	}
}

// query returns the first value of the first row.
func query[T any](t testing.TB, url, q string, args ...any) (out T) {
	t.Helper()
	c, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(context.Background(), "SET search_path = sluice"); err != nil {
		t.Fatal(err)
	}
	if err := c.QueryRow(context.Background(), q, args...).Scan(&out); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out
}

// A sequence number that commits late is in a later batch, not in none.
func TestEventsThatCommitLateAreNotOverlooked(t *testing.T) {
	url := pgtest.URL(t)
	l := open(t, postgres.Options{URL: url})
	slow, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close(t.Context())
	tx, err := slow.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Another instance in the middle of its group commit.
	var late int64
	if err := tx.QueryRow(t.Context(), `WITH e AS (INSERT INTO sluice.events (source, event_id, kind, format, received_at, company_id, integration,
			model, operation, sync_id, job_id, status, sync_type, records, body)
			VALUES ('rootfi', 'late', '', '', now(), '', '', '', '', '', '', '', '', 0, '{}') RETURNING seq),
		a AS (INSERT INTO sluice.arrivals (n, seqs) SELECT 1, ARRAY[seq] FROM e) SELECT seq FROM e`).Scan(&late); err != nil {
		t.Fatal(err)
	}
	a, err := l.Append(t.Context(), event.Event{Source: "rootfi", ID: "early"})
	if err != nil || a.Seq <= late {
		t.Fatalf("appended %+v, %v, after %d", a, err, late)
	}
	first, ok, err := l.ClaimBatch(t.Context(), 10)
	if err != nil || !ok || first.FirstSeq != a.Seq || first.LastSeq != a.Seq {
		t.Fatalf("claimed %+v, %v", first, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, ok, err := l.ClaimBatch(t.Context(), 10)
	if err != nil || !ok || second.FirstSeq != late || second.LastSeq != late {
		t.Fatalf("claimed %+v, %v, want event %d", second, err, late)
	}
	for id, batch := range map[string]int64{"late": second.ID, "early": first.ID} {
		if e, err := l.EventByID(t.Context(), "rootfi", id); err != nil || e.Batch != batch {
			t.Errorf("%s: in batch %d, %v, want %d", id, e.Batch, err, batch)
		}
	}
}

// An append at one instance wakes the others' dispatchers.
func TestNewsTravels(t *testing.T) {
	url := pgtest.URL(t)
	here, there := open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url})
	other := open(t, postgres.Options{URL: url, Schema: "other"})
	listening := func() bool {
		return query[int64](t, url, `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`) == 3
	}
	for end := time.Now().Add(20 * time.Second); !listening(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not all of them listen")
		}
	}
	for _, l := range []*postgres.Ledger{here, there, other} {
		select { // of the beginning
		case <-l.Signal():
		case <-time.After(10 * time.Second):
			t.Fatal("no signal when it began to listen")
		}
	}
	if _, err := here.Append(t.Context(), event.Event{Source: "s", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*postgres.Ledger{here, there} {
		select {
		case <-l.Signal():
		case <-time.After(10 * time.Second):
			t.Error("an instance was not told")
		}
	}
	select {
	case <-other.Signal():
		t.Error("news went to another schema")
	default:
	}
}

// A claim that was lost to another instance says nothing any more, and the clock
// that counts is the database's.
func TestLeasesAreSharedByInstances(t *testing.T) {
	url := pgtest.URL(t)
	a, b := open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url})
	if _, err := a.Append(t.Context(), event.Event{Source: "rootfi", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	batch, _, err := b.ClaimBatch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), ledger.Application{Batch: batch.ID, Changes: changes(batch.Events), Route: toD, Final: true}); err != nil {
		t.Fatal(err)
	}
	claim := func(l *postgres.Ledger) ledger.Claim {
		t.Helper()
		c, err := l.Claim(t.Context(), ledger.ClaimRequest{Destination: "d", Batch: batch.ID, Limit: 1, Lease: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := claim(a)
	if len(first.Items) != 1 {
		t.Fatalf("claimed %+v", first)
	}
	if c := claim(b); len(c.Items) != 0 || c.OwnLeft != 1 || c.OwnLeased != 1 {
		t.Fatalf("claimed by the other instance: %+v", c)
	}
	// The first instance stands still beyond its lease.
	query[int64](t, url, `WITH u AS (UPDATE leases SET until = clock_timestamp() - interval '1 ms' RETURNING 1) SELECT count(*) FROM u`)
	second := claim(b)
	if len(second.Items) != 1 {
		t.Fatalf("claimed by the other instance: %+v", second)
	}
	id := second.Items[0].ID
	if err := a.Settle(t.Context(), first.Token, []ledger.Outcome{{DeliveryID: id, Result: ledger.OutcomeDead, ErrorKind: "late"}}); err != nil {
		t.Fatal(err)
	}
	if c := claim(a); len(c.Items) != 0 || c.OwnLeased != 1 {
		t.Errorf("the late settlement ended the other's lease: %+v", c)
	}
	// Retries are at moments by the clock of the process that failed.
	at := time.Now().Add(time.Hour)
	if err := b.Settle(t.Context(), second.Token, []ledger.Outcome{{DeliveryID: id, Result: ledger.OutcomeRetry, RetryAt: at}}); err != nil {
		t.Fatal(err)
	}
	if c := claim(a); c.OwnLeft != 1 || c.OwnLeased != 0 || c.NextDue.Sub(at).Abs() > time.Minute {
		t.Errorf("after the failure: %+v, want due at %s", c, at)
	}
	checkTables(t, url)
}

// Hashed ids are judged by all instances together.
func TestTheWindowHoldsOverInstances(t *testing.T) {
	url := pgtest.URL(t)
	all := []*postgres.Ledger{open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url})}
	began := time.Now().UTC()
	for round := range 4 { // each outside of the window of the one before
		at := began.Add(time.Duration(round) * time.Hour)
		var mu sync.Mutex
		ids := make(map[string]int)
		fresh := 0
		var wg sync.WaitGroup
		for n := range 24 {
			wg.Go(func() {
				a, err := all[n%3].Append(t.Context(), event.Event{
					Source: "s", ID: "sha256:1", HashedID: true, ReceivedAt: at.Add(time.Duration(n) * time.Millisecond),
				})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				ids[a.EventID]++
				if !a.Duplicate {
					fresh++
				}
			})
		}
		wg.Wait()
		if fresh != 1 || len(ids) != 1 {
			t.Errorf("round %d: %d new events, ids %v", round, fresh, ids)
		}
	}
}

// A claim that others were quicker than is settled by nobody: it must not be
// remembered.
func TestClaimThatCameTooLateIsForgotten(t *testing.T) {
	url := pgtest.URL(t)
	l := open(t, postgres.Options{URL: url})
	if _, err := l.Append(t.Context(), event.Event{Source: "rootfi", ID: "1", Body: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	b, _, err := l.ClaimBatch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Apply(t.Context(), ledger.Application{Batch: b.ID, Changes: changes(b.Events), Route: toD, Final: true}); err != nil {
		t.Fatal(err)
	}
	other, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	for _, sql := range []string{"BEGIN", "SELECT 1 FROM sluice.deliveries FOR UPDATE"} { // as one that claims
		if _, err := other.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c, err := l.Claim(t.Context(), ledger.ClaimRequest{Destination: "d", Limit: 10, Lease: time.Minute})
	if err != nil || len(c.Items) != 0 {
		t.Fatal(c.Items, err)
	}
	if n := l.Remembered(); n != 0 {
		t.Errorf("%d claims are remembered", n)
	}
}
