package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/ledgertest"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

func findings(t testing.TB, dir string) (out []ledger.Finding) {
	t.Helper()
	// Not the test's context: this is called in cleanups too.
	ctx := context.Background()
	c, err := sqlite.OpenChecker(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(ctx, func(f ledger.Finding) { out = append(out, f) })
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return out
}

func eventful(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	ledgertest.Fill(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCheckFindsNothingInAGoodLedger(t *testing.T) {
	checkFiles(t, eventful(t))
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		file, sql string
		check     string
		want      string // object and problem
	}{
		"an event that no batch holds":   {"events", `UPDATE batches SET first_seq = 2 WHERE id = 1`, ledger.CheckBatches, "event 1: it was given out (up to 4) and no batch holds it"},
		"events after the last batch":    {"events", `UPDATE cursor SET claimed_seq = 5`, ledger.CheckBatches, "event 5: it was given out (up to 5) and no batch holds it"},
		"a batch above the cursor":       {"events", `UPDATE cursor SET claimed_seq = 3`, ledger.CheckBatches, "batch 2: it ends with event 4, and events are given out up to 3"},
		"batches that overlap":           {"events", `UPDATE batches SET first_seq = 2 WHERE id = 2`, ledger.CheckBatches, "batch 2: it begins with event 2, which an earlier batch holds too"},
		"a batch without a range":        {"events", `UPDATE batches SET first_seq = 9 WHERE id = 2`, ledger.CheckBatches, "batch 2: its range is 9 to 4"},
		"no cursor":                      {"events", `DELETE FROM cursor`, ledger.CheckBatches, "cursor: it has 0 rows, not one"},
		"a batch done before its time":   {"state", `UPDATE batches SET applied = 0 WHERE id = 1`, ledger.CheckDone, "batch 1: it is marked as done and was not applied"},
		"what waits in a done batch":     {"events", `UPDATE batches SET done = 1`, ledger.CheckDriven, "batch 2: 4 deliveries wait in it, and it is marked as done"},
		"what waits in a batch gone":     {"events", `DELETE FROM batches WHERE id = 2`, ledger.CheckDriven, "batch 2: 4 deliveries wait in it, and it is gone"},
		"older events file: batches":     {"events", `DELETE FROM batches WHERE id = 2; UPDATE sqlite_sequence SET seq = 1`, ledger.CheckFiles, "batch 2: state.db knows it, events.db gave out numbers up to 1"},
		"older events file: events":      {"events", `DELETE FROM events WHERE seq > 2; UPDATE cursor SET claimed_seq = 2`, ledger.CheckFiles, "event 4: state.db knows it, events.db gave out numbers up to 2"},
		"an event that is waited for":    {"events", `DELETE FROM events WHERE seq = 3`, ledger.CheckFiles, "event 3: a delivery to log waits for it, and it is gone"},
		"a wish for no version":          {"state", `UPDATE deliveries SET wanted = 9 WHERE id = 1`, ledger.CheckVersions, "delivery 1: version 9 is wanted and 1 delivered, and the record is at 1"},
		"a delivery of no version":       {"state", `UPDATE deliveries SET delivered = 9 WHERE id = 1`, ledger.CheckVersions, "delivery 1: version 1 is wanted and 9 delivered, and the record is at 1"},
		"delivered, but not as wanted":   {"state", `UPDATE deliveries SET delivered = 0 WHERE id = 1`, ledger.CheckVersions, "delivery 1: it counts as delivered with version 0, and 1 is wanted"},
		"a state that is none":           {"state", `UPDATE deliveries SET state = 7 WHERE id = 1`, ledger.CheckVersions, "delivery 1: its state is 7"},
		"a name that is gone":            {"state", `DELETE FROM names WHERE name = 'r'`, ledger.CheckReferences, "delivery 1: its route has no name"},
		"a record that is gone":          {"state", `DELETE FROM records WHERE id = 1`, ledger.CheckReferences, "delivery 1: its record 1 is gone"},
		"a delivery of nothing":          {"state", `UPDATE deliveries SET record_id = NULL WHERE id = 1`, ledger.CheckReferences, "delivery 1: it is of no record and of no event"},
		"a scope that is gone":           {"state", `DELETE FROM scopes`, ledger.CheckReferences, "record 1: its scope 1 is gone"},
		"given up without a reason":      {"state", `DELETE FROM dead_letters WHERE delivery_id IS NOT NULL`, ledger.CheckLetters, "delivery 2: it was given up and there is no dead letter that says why"},
		"a reason without a delivery":    {"state", `UPDATE dead_letters SET delivery_id = 99 WHERE delivery_id = 2`, ledger.CheckLetters, "dead letter 3: its delivery 99 is gone"},
		"a reason for what was done":     {"state", `UPDATE dead_letters SET delivery_id = 1 WHERE delivery_id = 2`, ledger.CheckLetters, "dead letter 3: what it is about was delivered"},
		"a dead letter without a reason": {"state", `UPDATE dead_letters SET error_kind = '' WHERE id = 2`, ledger.CheckLetters, "dead letter 2: it gives no reason"},
		"a dead letter in no state":      {"state", `UPDATE dead_letters SET state = 'limbo' WHERE id = 2`, ledger.CheckLetters, "dead letter 2: its state is limbo"},
		"a wrong count by model":         {"state", `UPDATE delivery_counts SET delivered = delivered + 3 WHERE waiting = 2 AND dead = 3`, ledger.CheckCounters, "deliveries to d of ITEMS: waiting, delivered, dead: 2, 4, 3 counted, 2, 1, 3 there"},
		"a count that is missing":        {"state", `DELETE FROM delivery_counts`, ledger.CheckCounters, "deliveries to d of ITEMS: waiting, delivered, dead: 0, 0, 0 counted, 2, 1, 3 there"},
		"a wrong count by batch":         {"state", `UPDATE batch_counts SET waiting = 0 WHERE batch = 2`, ledger.CheckCounters, "batch 2: 0 are counted as waiting, 2 wait"},
		"a count of nothing":             {"state", `UPDATE batch_counts SET waiting = 5 WHERE batch = 1`, ledger.CheckCounters, "batch 1: 5 are counted as waiting, 0 wait"},
		"a negative count":               {"state", `UPDATE batch_counts SET dead = -1 WHERE batch = 1`, ledger.CheckCounters, "batch 1: a counter is negative"},
		"a state that is no JSON":        {"state", `UPDATE records SET state = x'7b' WHERE id = 1`, ledger.CheckRecords, "record 1: its state cannot be read"},
		"a record that is not deleted":   {"state", `UPDATE records SET deleted = 1 WHERE id = 1`, ledger.CheckRecords, "record 1: its state says deleted false, its row true"},
		"a pause for no reason":          {"state", `UPDATE pauses SET reason = 'mood'`, ledger.CheckPauses, "pause of d: its reason is mood"},
		"a wait of nothing":              {"state", `UPDATE parents SET delivery_id = 99`, ledger.CheckMappings, "delivery 99: it is to wait for a parent, and it is gone"},
		"a wait of an event":             {"state", `UPDATE parents SET delivery_id = (SELECT min(id) FROM deliveries WHERE event_seq = 3)`, ledger.CheckMappings, ": it is to wait for a parent, and it is of no record"},
		"a wait somewhere else":          {"state", `UPDATE parents SET destination = destination + 1`, ledger.CheckMappings, ": it is to wait for a parent at another destination"},
		"a wait for nothing":             {"state", `UPDATE parents SET scope = 99`, ledger.CheckMappings, ": the scope 99 of its parent is gone"},
		"delivered, and waiting":         {"state", `UPDATE deliveries SET blocked = since WHERE record_id = 1`, ledger.CheckMappings, ": it was delivered, and waits for a parent"},
		"elements of an event":           {"state", `UPDATE deliveries SET children = '{}' WHERE event_seq = 3`, ledger.CheckMappings, ": it remembers elements of lists, and it is of no record"},
		"elements that are none":         {"state", `UPDATE deliveries SET children = '[1' WHERE record_id = 1`, ledger.CheckMappings, ": its elements cannot be read"},
		"an unrouted event that is gone": {"state", `UPDATE unrouted SET event_seq = 77 WHERE event_seq = 2`, ledger.CheckMappings, "event 77: no route takes it, and it is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := eventful(t)
			db, err := sql.Open("sqlite", filepath.Join(dir, "ledger", c.file+".db"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(c.sql); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			all := findings(t, dir)
			found := slices.ContainsFunc(all, func(f ledger.Finding) bool {
				return f.Check == c.check && strings.HasSuffix(f.Object+": "+f.Problem, c.want) && f.Advice != ""
			})
			if !found {
				t.Errorf("not found: %s; found: %+v", c.want, all)
			}
		})
	}
}

func TestCheckShowsTheFirstOfMany(t *testing.T) {
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	for i := range 30 {
		if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: string(rune('a' + i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	query(t, dir, "events", `UPDATE cursor SET claimed_seq = 30 RETURNING id`)
	all := findings(t, dir)
	if len(all) != 21 || all[20].Problem != "10 more of the same" {
		t.Errorf("%d findings, the last is %+v", len(all), all[len(all)-1])
	}
}

func TestCheckFindsADamagedFile(t *testing.T) {
	dir := eventful(t)
	path := filepath.Join(dir, "ledger", "state.db")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The heads of some pages: those of the first tables and indexes.
	for page := range int64(8) {
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 40)), (page+4)*4096); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	all := findings(t, dir)
	if len(all) == 0 || slices.ContainsFunc(all, func(f ledger.Finding) bool { return f.Check != ledger.CheckFile || f.Object != "state.db" }) {
		t.Errorf("found %+v", all)
	}
}

func TestCheckChangesNothing(t *testing.T) {
	dir := eventful(t)
	read := func() (out [2]string) {
		for i, name := range []string{"events.db", "state.db"} {
			b, err := os.ReadFile(filepath.Join(dir, "ledger", name))
			if err != nil {
				t.Fatal(err)
			}
			out[i] = string(b)
		}
		return out
	}
	before := read()
	findings(t, dir)
	if read() != before {
		t.Error("the files are not what they were")
	}
}

func TestCheckNeedsALedgerAtRest(t *testing.T) {
	if _, err := sqlite.OpenChecker(t.Context(), t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a ledger: %v", err)
	}
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	if _, err := sqlite.OpenChecker(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "in use by another sluice") {
		t.Errorf("while it is open: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	query(t, dir, "state", `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1) RETURNING id`)
	if _, err := sqlite.OpenChecker(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "schema version 99") {
		t.Errorf("with a newer schema: %v", err)
	}
}
