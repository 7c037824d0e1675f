package postgres_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// fill leaves something of everything in a ledger.
func fill(t *testing.T, l ledger.Ledger) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for i := range 30 {
		_, err := l.Append(ctx, event.Event{
			Source: "rootfi", ID: fmt.Sprint("event-", i), HashedID: i%7 == 0, Kind: event.KindDataModelChanges, Format: "f",
			CompanyID: "1", Integration: "XERO", Model: "INVOICES", Operation: event.Update, Records: 1, Body: fmt.Appendf(nil, `{"n":%d}`, i),
		})
		must(err)
	}
	for n := range 4 {
		b, _, err := l.ClaimBatch(ctx, 6)
		must(err)
		in := ledger.Application{Batch: b.ID, Changes: changes(b.Events), Route: toD, Final: n != 3, Revision: "r1", Unrouted: []int64{b.LastSeq}}
		if n == 1 {
			for _, e := range b.Events {
				in.Appends = append(in.Appends, ledger.AppendWant{Want: ledger.Want{Destination: "log", Route: "l"}, Seq: e.Seq, Index: -1})
			}
			in.Unkeyed = []ledger.Unkeyed{{Want: ledger.Want{Destination: "log", Route: "l"}, Seq: b.FirstSeq, Index: 2, Model: "BILLS", Reason: "no id"}}
		}
		_, err = l.Apply(ctx, in)
		must(err)
	}
	for _, destination := range []string{"d", "log"} {
		c, err := l.Claim(ctx, ledger.ClaimRequest{Destination: destination, Limit: 5, Lease: time.Minute})
		must(err)
		var outcomes []ledger.Outcome
		for i, d := range c.Items {
			o := ledger.Outcome{DeliveryID: d.ID, Result: ledger.OutcomeKind(i % 5), Code: "C", Message: "why", ErrorKind: "k"}
			if o.Result != ledger.OutcomeDelivered {
				o.RetryAt = time.Now().Add(-time.Second)
			} else if d.Record != nil {
				o.Version, o.Children = d.Record.Version, map[string][]string{"lines": {"1", "ü\x00"}}
			}
			if o.Result == ledger.OutcomeBlocked && d.Record != nil {
				parent := d.Record.Key
				parent.PlatformID = "missing"
				o.Parents = []event.RecordKey{parent}
			}
			outcomes = append(outcomes, o)
		}
		must(l.Settle(ctx, c.Token, outcomes))
	}
	must(l.Pause(ctx, ledger.Pause{Destination: "log", Reason: ledger.PauseOperator, Message: "m", Since: time.Now().Add(-time.Hour)}))
	must(l.Resume(ctx, "log"))
	must(l.Pause(ctx, ledger.Pause{Destination: "log", Reason: ledger.PauseThrottled, Until: time.Now().Add(time.Hour)}))
	must(l.Pause(ctx, ledger.Pause{Destination: "log", Scope: ledger.ScopeAccount, Part: "c1", Reason: ledger.PauseThrottled, Until: time.Now().Add(time.Hour)}))
	_, _, err := l.RetryDeadLetters(ctx, ledger.DeadLetterFilter{Limit: 1})
	must(err)
}

// describe is all that operators can ask.
func describe(t *testing.T, l ledger.Ledger) string {
	t.Helper()
	ctx := t.Context()
	var out strings.Builder
	show := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %s\n", what, b)
	}
	events, err := l.ListEvents(ctx, ledger.EventFilter{Limit: 1000})
	show("events", events, err)
	unrouted, err := l.ListEvents(ctx, ledger.EventFilter{Limit: 1000, Unrouted: true})
	show("unrouted", unrouted, err)
	for _, e := range events {
		d, err := l.EventByID(ctx, e.Source, e.ID)
		show("event", d, err)
	}
	for i := range 40 {
		r, err := l.RecordsByKey(ctx, event.RecordKey{PlatformID: fmt.Sprint(i)})
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		for j := range r { // no more exact than its translation between clocks
			for k := range r[j].Deliveries {
				d := &r[j].Deliveries[k]
				d.RetryAt = d.RetryAt.Round(time.Minute)
			}
		}
		show("record", r, err)
	}
	letters, err := l.ListDeadLetters(ctx, ledger.DeadLetterFilter{Limit: 1000})
	show("letters", letters, err)
	states, err := l.DestinationStates(ctx)
	show("states", states, err)
	counts, err := l.DeliveryCounts(ctx)
	show("counts", counts, err)
	models, err := l.ModelCounts(ctx)
	show("models", models, err)
	backlog, err := l.Backlog(ctx)
	show("backlog", backlog, err)
	pauses, err := l.Pauses(ctx)
	show("pauses", pauses, err)
	undone, err := l.Undone(ctx, 0, 1000)
	show("undone", undone, err)
	return out.String()
}

func TestCopy(t *testing.T) {
	from, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	fill(t, from)
	opts := postgres.Options{URL: pgtest.URL(t)}
	counts, err := postgres.Copy(t.Context(), opts, from)
	if err != nil {
		t.Fatal(err)
	}
	if counts["events"] != 30 || counts["batches"] != 5 || counts["dead_letters"] < 2 || counts["parents"] != 1 || counts["unrouted"] != 4 {
		t.Errorf("copied %v", counts)
	}
	l := open(t, opts)
	if got, want := describe(t, l), describe(t, from); got != want {
		a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
		t.Errorf("%d lines, want %d", len(a), len(b))
		for i := range a {
			if i < len(b) && a[i] != b[i] {
				t.Errorf("got  %s\nwant %s", a[i], b[i])
			}
		}
	}
	checkTables(t, opts.URL)
	if _, err := postgres.Copy(t.Context(), opts, from); !errors.Is(err, postgres.ErrNotEmpty) {
		t.Errorf("copied once more: %v", err)
	}

	// It goes on where the other one was.
	a, err := l.Append(t.Context(), event.Event{Source: "rootfi", ID: "event-3"})
	if err != nil || !a.Duplicate {
		t.Errorf("an event that was copied: %+v, %v", a, err)
	}
	if a, err = l.Append(t.Context(), event.Event{Source: "rootfi", ID: "new"}); err != nil || a.Duplicate || a.Seq <= 30 {
		t.Errorf("a new event: %+v, %v", a, err)
	}
	if err := l.Resume(t.Context(), "log"); err != nil {
		t.Fatal(err)
	}
	all, err := l.Undone(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for ok := true; ok; {
		for _, b := range all {
			drive(t.Context(), l, b, discard{})
		}
		var b ledger.Batch
		if b, ok, err = l.ClaimBatch(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		if all = nil; ok {
			all = []ledger.Batch{b}
			if b.ID <= 5 {
				t.Errorf("batch %d was there before", b.ID)
			}
		}
	}
	for {
		c, err := l.Claim(t.Context(), ledger.ClaimRequest{Destination: "log", Limit: 100, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Items) == 0 {
			break
		}
		var outcomes []ledger.Outcome
		for _, d := range c.Items {
			outcomes = append(outcomes, ledger.Outcome{DeliveryID: d.ID, Result: ledger.OutcomeDelivered})
		}
		if err := l.Settle(t.Context(), c.Token, outcomes); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, l)
	checkTables(t, opts.URL)
}

// broken ends an export in the middle.
type broken struct{ *sqlite.Ledger }

var errBroken = errors.New("the disk is gone")

func (b broken) Numbers(context.Context) (map[string]int64, error) { return nil, errBroken }

// A copy that fails leaves nothing, and may be made again.
func TestACopyIsWholeOrNotThere(t *testing.T) {
	from, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	fill(t, from)
	opts := postgres.Options{URL: pgtest.URL(t)}
	if _, err := postgres.Copy(t.Context(), opts, broken{from}); !errors.Is(err, errBroken) {
		t.Fatalf("copied from a broken disk: %v", err)
	}
	for _, table := range []string{"events", "batches", "records", "names"} {
		if n := query[int64](t, opts.URL, "SELECT count(*) FROM "+table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if _, err := postgres.Copy(t.Context(), opts, from); err != nil {
		t.Errorf("copied again: %v", err)
	}
}

// A column that is added to SQLite's tables must be copied too.
func TestNothingIsLeftOutOfACopy(t *testing.T) {
	dir := t.TempDir()
	l, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, table := range ledger.Tables {
		for _, c := range table.Columns {
			want = append(want, table.Name+"."+c.Name)
		}
	}
	for _, file := range []string{"events", "state"} {
		db, err := sql.Open("sqlite", filepath.Join(dir, "ledger", file+".db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.Query(`SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%' AND m.name <> 'cursor'`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var table, column string
			if err := rows.Scan(&table, &column); err != nil {
				t.Fatal(err)
			}
			if file == "state" && table == "batches" {
				table = "progress"
			}
			have = append(have, table+"."+column)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	if !reflect.DeepEqual(have, want) {
		t.Errorf("SQLite has %v\ncopied are %v", have, want)
	}
}
