package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/ledger/postgres"
	"github.com/sluicehq/sluice/internal/pgtest"
)

func TestManyOpenAtOnce(t *testing.T) {
	url := pgtest.URL(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			l, err := postgres.Open(t.Context(), postgres.Options{URL: url, MaxConnections: 4})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := query[int64](t, url, `SELECT count(*) - count(DISTINCT version_id) FROM goose_db_version`); n != 0 {
		t.Errorf("%d migrations were applied again", n)
	}
	if n := query[int64](t, url, `SELECT count(*) FROM events`); n != 6 {
		t.Errorf("%d events", n)
	}
}

// A rolling upgrade: an older program works on while the schema is one version
// ahead, and is refused when it is two.
func TestAnOlderProgramMeetsANewerSchema(t *testing.T) {
	url := pgtest.URL(t)
	running := open(t, postgres.Options{URL: url})
	exec := func(sql string) {
		t.Helper()
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if _, err := c.Exec(t.Context(), "SET search_path = sluice; "+sql); err != nil {
			t.Fatal(err)
		}
	}
	use := func(l *postgres.Ledger, id string) {
		t.Helper()
		if _, err := l.Append(t.Context(), event.Event{Source: "s", ID: id}); err != nil {
			t.Fatal(err)
		}
		b, ok, err := l.ClaimBatch(t.Context(), 1)
		if err != nil || !ok {
			t.Fatalf("claimed %v, %v", ok, err)
		}
		drive(t.Context(), l, b, discard{})
	}
	use(running, "before")
	upgrade := func(version int) {
		exec(fmt.Sprintf(`ALTER TABLE events ADD COLUMN new%[1]d text; ALTER TABLE deliveries ADD COLUMN new%[1]d int NOT NULL DEFAULT 0;
			INSERT INTO goose_db_version (version_id, is_applied) VALUES (%[1]d, true);
			UPDATE ledger_schema SET version = %[1]d, compatible_from = %[2]d`, version, version-1))
	}
	known := int(query[int64](t, url, `SELECT version FROM ledger_schema`))
	if from := int(query[int64](t, url, `SELECT compatible_from FROM ledger_schema`)); from != known-1 {
		t.Errorf("version %d can be used from version %d on, want the one before", known, from)
	}
	upgrade(known + 1)
	use(running, "while it runs")
	use(open(t, postgres.Options{URL: url}), "started afterwards")
	upgrade(known + 2)
	_, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	want := fmt.Sprintf("the schema has version %d, which a sluice that knows version %d or newer can use; this one knows %d", known+2, known+1, known)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("two versions ahead: %v", err)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func TestOpenSaysWhatIsWrong(t *testing.T) {
	url := pgtest.URL(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	as := func(user, database string) string {
		return fmt.Sprintf("postgres://%s:sesame@127.0.0.1:%d/%s?sslmode=disable", user, config.Port, database)
	}
	query[int64](t, url, `SELECT 1::bigint`)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), "CREATE ROLE stranger LOGIN"); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ url, want string }{
		"no URL":         {"", "ledger.postgres.url is not a PostgreSQL connection string"},
		"not a URL":      {"postgres://user:sesame@host:port/x", "ledger.postgres.url is not a PostgreSQL connection string"},
		"nobody listens": {"postgres://user:sesame@127.0.0.1:1/x?sslmode=disable", "PostgreSQL does not answer"},
		"no database":    {as("postgres", "nowhere"), "create the database that ledger.postgres.url names"},
		"no right":       {as("stranger", config.Database), "give the user of ledger.postgres.url the rights on its schema"},
	} {
		_, err := postgres.Open(t.Context(), postgres.Options{URL: tt.url})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		} else if strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// The server says that its disk is full as a real one does: by its error.
func TestAFullDiskIsSurvived(t *testing.T) {
	url := pgtest.URL(t)
	l := open(t, postgres.Options{URL: url})
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Exec(t.Context(), `CREATE FUNCTION sluice.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON sluice.events FOR EACH ROW WHEN (octet_length(NEW.body) > 1000) EXECUTE FUNCTION sluice.refuse()`); err != nil {
		t.Fatal(err)
	}
	add := func(id string, size int) error {
		_, err := l.Append(t.Context(), event.Event{Source: "s", ID: id, Body: make([]byte, size)})
		return err
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
			if err := add(fmt.Sprint("large-", i), 2000); !errors.Is(err, ledger.ErrFull) {
				t.Errorf("large event: %v, want ErrFull", err)
			}
		})
	}
	wg.Wait()
	if _, err := c.Exec(t.Context(), `DROP TRIGGER full_disk ON sluice.events`); err != nil {
		t.Fatal(err)
	}
	if err := add("large-0", 2000); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if n := query[int64](t, url, `SELECT count(*) FROM events`); n != 21 {
		t.Errorf("%d events stored, want 21", n)
	}
}

func TestCloseFinishesWhatIsQueued(t *testing.T) {
	url := pgtest.URL(t)
	l := open(t, postgres.Options{URL: url})
	var mu sync.Mutex
	var stored int64
	var wg sync.WaitGroup
	for s := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := l.Append(t.Context(), event.Event{Source: "s", ID: fmt.Sprint(s, "-", i)})
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
	for enough := false; !enough; time.Sleep(time.Millisecond) {
		mu.Lock()
		enough = stored > 200 || t.Failed()
		mu.Unlock()
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if got := query[int64](t, url, "SELECT count(*) FROM events"); got != stored {
		t.Errorf("%d events stored, %d acknowledged", got, stored)
	}
	if _, err := l.Pauses(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed ledger answers: %v", err)
	}
}

// A session that stands still in a transaction is ended by the server, and its
// locks with it.
func TestSessionsThatStandStillEnd(t *testing.T) {
	url := pgtest.URL(t)
	open(t, postgres.Options{URL: url})
	for setting, want := range map[string]string{
		"idle_in_transaction_session_timeout": "15s", "lock_timeout": "30s", "synchronous_commit": "on", "TimeZone": "UTC",
	} {
		got, err := postgres.Setting(context.Background(), url, setting)
		if err != nil || got != want {
			t.Errorf("%s is %q, %v, want %q", setting, got, err, want)
		}
	}
}

// Whoever stood still for so long has lost the connection, which is no fault of
// what it was about to say.
func TestAnEndedSessionIsALostConnection(t *testing.T) {
	c, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, sql := range []string{"SET idle_in_transaction_session_timeout = '1ms'", "BEGIN"} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for still := time.Millisecond; err == nil; still *= 2 {
		time.Sleep(still)
		_, err = c.Exec(t.Context(), "SELECT 1")
	}
	if !postgres.IsLost(err) {
		t.Errorf("%v is not taken for a lost connection", err)
	}
}

// What PostgreSQL cannot store as text must not keep events out.
func TestTextThatPostgreSQLRefuses(t *testing.T) {
	l := open(t, postgres.Options{URL: pgtest.URL(t)})
	odd := "a\x00b\xff"
	a, err := l.Append(t.Context(), event.Event{Source: "s", ID: odd, Model: odd, CompanyID: odd, Body: []byte(odd)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := l.EventByID(t.Context(), "s", odd)
	if err != nil || e.Seq != a.Seq || e.Model != "a\uFFFDb\uFFFD" || string(e.Body) != odd {
		t.Errorf("stored %+v, %v", e, err)
	}
	b, _, err := l.ClaimBatch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	c := changes(b.Events)
	c[0].Key.PlatformID = odd
	if _, err := l.Apply(t.Context(), ledger.Application{Batch: b.ID, Changes: c, Route: toD, Final: true}); err != nil {
		t.Fatal(err)
	}
	claim, err := l.Claim(t.Context(), ledger.ClaimRequest{Destination: "d", Limit: 1, Lease: time.Minute})
	if err != nil || len(claim.Items) != 1 {
		t.Fatalf("claimed %+v, %v", claim, err)
	}
	if err := l.Settle(t.Context(), claim.Token, []ledger.Outcome{{DeliveryID: claim.Items[0].ID, Result: ledger.OutcomeDead, Code: odd, Message: odd}}); err != nil {
		t.Fatal(err)
	}
	if r, err := l.RecordsByKey(t.Context(), event.RecordKey{PlatformID: odd}); err != nil || len(r) != 1 {
		t.Errorf("record %+v, %v", r, err)
	}
}
