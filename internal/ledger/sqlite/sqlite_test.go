package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/leaktest"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/ledgertest"
	"github.com/sluicehq/sluice/internal/ledger/sqlite"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		return
	}
	leaktest.Main(m)
}

func open(t testing.TB, o sqlite.Options) *sqlite.Ledger {
	t.Helper()
	l, err := sqlite.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestLedger(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T, o ledgertest.Options) ledgertest.Store {
		opts := sqlite.Options{Dir: t.TempDir(), DedupWindow: o.DedupWindow, Now: o.Now}
		t.Cleanup(func() { checkFiles(t, opts.Dir) }) // after the Close of the last one
		return ledgertest.Store{
			Ledger: open(t, opts),
			Reopen: func() ledger.Ledger { return open(t, opts) },
			Crash: func() ledger.Ledger {
				// What a killed process leaves: the files as they are, without
				// a last checkpoint.
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(opts.Dir)); err != nil {
					t.Fatal(err)
				}
				opts.Dir = dir
				return open(t, opts)
			},
		}
	})
}

// checkFiles holds what a ledger left to the rules that it has for itself.
func checkFiles(t testing.TB, dir string) {
	t.Helper()
	for _, f := range findings(t, dir) {
		// What calls the ledger gives the reasons; the suite does not always.
		if f.Problem == "it gives no reason" || f.Object == "others" {
			continue
		}
		t.Errorf("%s: %s: %s", f.Check, f.Object, f.Problem)
	}
}

// query returns the first value of the first row.
func query(t testing.TB, dir, name, q string) string {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger", name+".db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out string
	if err := db.QueryRow(q).Scan(&out); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return out
}

func TestOnlyOneMayOpenADirectory(t *testing.T) {
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	want := fmt.Sprintf("data directory %s is in use by another sluice (pid %d)", dir, os.Getpid())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("second open: %v, want %q", err, want)
	}
	if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: "1"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, sqlite.Options{Dir: dir})
}

func TestCloseFinishesWhatIsQueued(t *testing.T) {
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	var mu sync.Mutex
	stored := 0
	var wg sync.WaitGroup
	for s := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := l.Append(t.Context(), event.Event{Source: "s", ID: fmt.Sprint(s, i)})
				if err != nil {
					if !strings.Contains(err.Error(), "closed") {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				stored++
				mu.Unlock()
			}
		})
	}
	for enough := false; !enough; {
		mu.Lock()
		enough = stored > 200
		mu.Unlock()
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if got, want := query(t, dir, "events", "SELECT count(*) FROM events"), fmt.Sprint(stored); got != want {
		t.Errorf("%s events stored, %s acknowledged", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger", "events.db-wal")); err == nil {
		t.Error("a log is left behind")
	}
	if _, err := l.Pauses(t.Context()); err == nil {
		t.Error("a closed ledger answers")
	}
}

func TestAFullDiskIsSurvived(t *testing.T) {
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	add := func(id string, size int) error {
		_, err := l.Append(t.Context(), event.Event{Source: "s", ID: id, Body: make([]byte, size)})
		return err
	}
	if err := add("first", 10); err != nil {
		t.Fatal(err)
	}
	if err := l.LimitPages(t.Context(), 200); err != nil {
		t.Fatal(err)
	}
	// A large event does not fit; small ones that come at the same time do.
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := add(fmt.Sprint("small-", i), 10); err != nil {
				t.Errorf("small event: %v", err)
			}
		})
		wg.Go(func() {
			if err := add(fmt.Sprint("large-", i), 1<<20); !errors.Is(err, ledger.ErrFull) {
				t.Errorf("large event: %v, want ErrFull", err)
			}
		})
	}
	wg.Wait()
	if err := l.LimitPages(t.Context(), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := add("large-0", 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := query(t, dir, "events", "SELECT count(*) FROM events"); got != "22" {
		t.Errorf("%s events stored, want 22", got)
	}
	if got := query(t, dir, "events", "SELECT max(seq) FROM events"); got != "22" {
		t.Errorf("sequence numbers up to %s, want 22: no gaps", got)
	}
}

func TestPruneGivesRoomBack(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	l := open(t, sqlite.Options{Dir: dir, Now: func() time.Time { return now }})
	for i := range 40 {
		if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: fmt.Sprint(i), Body: make([]byte, 1<<19)}); err != nil {
			t.Fatal(err)
		}
	}
	b, _, err := l.ClaimBatch(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Apply(t.Context(), ledger.Application{Batch: b.ID, Final: true}); err != nil {
		t.Fatal(err)
	}
	if p, err := l.Prune(t.Context(), now.Add(time.Hour)); err != nil || p.Events != 40 {
		t.Fatalf("pruned %+v, %v", p, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "ledger", "events.db"))
	if err != nil || info.Size() > 10<<20 {
		t.Errorf("20 MiB were pruned and %d bytes are left (%v)", info.Size(), err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := open(t, sqlite.Options{Dir: dir})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger", "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer sluice") {
		t.Errorf("opened with a newer schema: %v", err)
	}
}
