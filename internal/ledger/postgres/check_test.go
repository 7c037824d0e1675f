package postgres_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/ledgertest"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

func findings(t testing.TB, url string) (out []ledger.Finding) {
	t.Helper()
	// Not the test's context: this is called in cleanups too.
	ctx := context.Background()
	c, err := postgres.OpenChecker(ctx, postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(ctx, func(f ledger.Finding) { out = append(out, f) })
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

func eventful(t *testing.T) (url string) {
	t.Helper()
	url = pgtest.URL(t)
	ledgertest.Fill(t, open(t, postgres.Options{URL: url}))
	return url
}

func TestCheckFindsNothingInAGoodLedger(t *testing.T) {
	if all := findings(t, eventful(t)); len(all) > 0 {
		t.Errorf("found %+v", all)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		sql   string
		check string
		want  string // object and problem
	}{
		"an event that nobody holds":     {`DELETE FROM arrivals`, ledger.CheckBatches, "event 5: no batch holds it, and it does not wait for one"},
		"an event in two batches":        {`INSERT INTO arrivals (n, seqs) VALUES (1, '{1}')`, ledger.CheckBatches, "event 1: it is in 2 batches or arrivals"},
		"an arrival of nothing":          {`DELETE FROM events WHERE seq = 5`, ledger.CheckBatches, "event 5: it waits for a batch, and it is gone"},
		"a batch with another range":     {`UPDATE batches SET last_seq = 9 WHERE id = 2`, ledger.CheckBatches, "batch 2: its range is 3 to 9, and it has 2 events"},
		"a batch done before its time":   {`UPDATE batches SET applied = false WHERE id = 1`, ledger.CheckDone, "batch 1: it is marked as done and was not applied"},
		"what waits in a done batch":     {`UPDATE batches SET done = true`, ledger.CheckDriven, "batch 2: 4 deliveries wait in it, and it is marked as done"},
		"what waits in a batch gone":     {`DELETE FROM batches WHERE id = 2`, ledger.CheckDriven, "batch 2: 4 deliveries wait in it, and it is gone"},
		"an event that is waited for":    {`DELETE FROM events WHERE seq = 3`, ledger.CheckFiles, "event 3: a delivery to log waits for it, and it is gone"},
		"a wish for no version":          {`UPDATE deliveries SET wanted = 9 WHERE record_id = 1`, ledger.CheckVersions, ": version 9 is wanted and 1 delivered, and the record is at 1"},
		"delivered, but not as wanted":   {`UPDATE deliveries SET delivered = 0 WHERE record_id = 1`, ledger.CheckVersions, ": it counts as delivered with version 0, and 1 is wanted"},
		"a state that is none":           {`UPDATE deliveries SET state = 7 WHERE record_id = 1`, ledger.CheckVersions, ": its state is 7"},
		"a name that is gone":            {`DELETE FROM names WHERE name = 'r'`, ledger.CheckReferences, ": its route has no name"},
		"a record that is gone":          {`DELETE FROM records WHERE id = 1`, ledger.CheckReferences, ": its record 1 is gone"},
		"a delivery of nothing":          {`UPDATE deliveries SET record_id = NULL WHERE record_id = 1`, ledger.CheckReferences, ": it is of no record and of no event"},
		"a scope that is gone":           {`DELETE FROM scopes`, ledger.CheckReferences, "record 1: its scope 1 is gone"},
		"given up without a reason":      {`DELETE FROM dead_letters WHERE delivery_id IS NOT NULL`, ledger.CheckLetters, ": it was given up and there is no dead letter that says why"},
		"a reason without a delivery":    {`UPDATE dead_letters SET delivery_id = 99 WHERE delivery_id IS NOT NULL`, ledger.CheckLetters, ": its delivery 99 is gone"},
		"a reason for what was done":     {`UPDATE dead_letters SET delivery_id = (SELECT id FROM deliveries WHERE state = 1 LIMIT 1) WHERE delivery_id IS NOT NULL`, ledger.CheckLetters, ": what it is about was delivered"},
		"a dead letter without a reason": {`UPDATE dead_letters SET error_kind = ''`, ledger.CheckLetters, ": it gives no reason"},
		"a dead letter in no state":      {`UPDATE dead_letters SET state = 'limbo'`, ledger.CheckLetters, ": its state is limbo"},
		"a count that is missing":        {`DELETE FROM delivery_counts`, ledger.CheckCounters, "deliveries to d of ITEMS: waiting, delivered, dead: 0, 0, 0 counted, 2, 1, 3 there"},
		"a wrong count by batch":         {`UPDATE batch_counts SET waiting = 0 WHERE batch = 2`, ledger.CheckCounters, "batch 2: 0 are counted as waiting, 2 wait"},
		"a negative count":               {`UPDATE batch_counts SET dead = -1 WHERE batch = 1`, ledger.CheckCounters, "batch 1: a counter is negative"},
		"a state that is no JSON":        {`UPDATE records SET state = '{' WHERE id = 1`, ledger.CheckRecords, "record 1: its state cannot be read"},
		"a record that is not deleted":   {`UPDATE records SET deleted = true WHERE id = 1`, ledger.CheckRecords, "record 1: its state says deleted false, its row true"},
		"a pause for no reason":          {`UPDATE pauses SET reason = 'mood'`, ledger.CheckPauses, "pause of d: its reason is mood"},
		"a wait of nothing":              {`UPDATE parents SET delivery_id = 99`, ledger.CheckMappings, "delivery 99: it is to wait for a parent, and it is gone"},
		"a wait of an event":             {`UPDATE parents SET delivery_id = (SELECT min(id) FROM deliveries WHERE event_seq = 3)`, ledger.CheckMappings, ": it is to wait for a parent, and it is of no record"},
		"a wait somewhere else":          {`UPDATE parents SET destination = destination + 1`, ledger.CheckMappings, ": it is to wait for a parent at another destination"},
		"a wait for nothing":             {`UPDATE parents SET scope = 99`, ledger.CheckMappings, ": the scope 99 of its parent is gone"},
		"delivered, and waiting":         {`UPDATE deliveries SET blocked = since WHERE record_id = 1`, ledger.CheckMappings, ": it was delivered, and waits for a parent"},
		"elements of an event":           {`UPDATE deliveries SET children = '{}' WHERE event_seq = 3`, ledger.CheckMappings, ": it remembers elements of lists, and it is of no record"},
		"elements that are none":         {`UPDATE deliveries SET children = '[1' WHERE record_id = 1`, ledger.CheckMappings, ": its elements cannot be read"},
		"an unrouted event that is gone": {`UPDATE unrouted SET event_seq = 77 WHERE event_seq = 2`, ledger.CheckMappings, "event 77: no route takes it, and it is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			url := eventful(t)
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			if _, err := conn.Exec(t.Context(), "SET search_path TO sluice"); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			all := findings(t, url)
			if !slices.ContainsFunc(all, func(f ledger.Finding) bool {
				return f.Check == c.check && strings.HasSuffix(f.Object+": "+f.Problem, c.want) && f.Advice != ""
			}) {
				t.Errorf("not found: %s; found: %+v", c.want, all)
			}
		})
	}
}

// What tries again by itself later says so; what gives up must not.
func TestAServerThatIsAwayAtTheStart(t *testing.T) {
	o := postgres.Options{URL: "postgres://postgres@127.0.0.1:1/none?sslmode=disable"}
	_, opened := postgres.Open(t.Context(), o)
	_, checked := postgres.OpenChecker(t.Context(), o)
	for _, err := range []error{opened, checked} {
		if err == nil || !strings.Contains(err.Error(), "PostgreSQL does not answer") || !strings.Contains(err.Error(), "then try again)") {
			t.Errorf("with nobody there: %v", err)
		}
	}
}

func TestCheckNeedsALedger(t *testing.T) {
	_, err := postgres.OpenChecker(t.Context(), postgres.Options{URL: pgtest.URL(t)})
	if err == nil || !strings.Contains(err.Error(), "there is no ledger in schema sluice") {
		t.Errorf("without a ledger: %v", err)
	}
}
