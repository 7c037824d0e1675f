package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // reads the PostgreSQL warehouse

	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/internal/sandbox"
)

// trio is one destination of each kind that holds state: two warehouses, and an
// audit trail of every change.
type trio struct {
	dir, postgres string
}

func newTrio(t *testing.T) trio {
	return trio{dir: t.TempDir(), postgres: pgtest.URL(t)}
}

// config is their part of a configuration. The retries are quick.
func (w trio) config() string {
	return fmt.Sprintf(`destinations:
  lite:
    plugin: sqlite
    config: {path: %q}
    retry: {initial_interval: 100ms, max_interval: 2s}
  pg:
    plugin: postgres
    config: {url: %q, schema: books}
    retry: {initial_interval: 100ms, max_interval: 2s}
  audit:
    plugin: file
    config: {path: %q}
    retry: {initial_interval: 100ms, max_interval: 2s}
routes:
  - name: warehouses
    to: [lite, pg]
  - name: trail
    events: ["*"]
    mode: changes
    to: [audit]
`, w.lite(), w.postgres, w.audit())
}

func (w trio) lite() string  { return filepath.Join(w.dir, "lite.db") }
func (w trio) audit() string { return filepath.Join(w.dir, "audit") }

// verify holds all three against what the sandbox expects.
func (w trio) verify(t *testing.T, sb *sandbox.Sandbox, gaveUp []string) {
	t.Helper()
	expected := sb.ExpectedWithout(gaveUp...)
	compare(t, "sqlite", "file:"+w.lite()+"?mode=ro", demo.SQLiteTable, expected)
	compare(t, "pgx", w.postgres, func(model string) string { return `"books"."` + strings.ToLower(model) + `"` }, expected)
	verifyTrail(t, w.audit(), sb, gaveUp)
}

func compare(t *testing.T, driver, source string, table func(string) string, expected []sandbox.Record) {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := demo.Compare(t.Context(), db, table, expected)
	if err != nil {
		t.Fatalf("%s: %v", driver, err)
	}
	if len(got.Models) == 0 || !got.OK() {
		t.Errorf("the %s warehouse is not in the expected state:\n%s", driver, strings.Join(got.Differences, "\n"))
	}
}

// verifyTrail looks for every change and every event, once.
func verifyTrail(t *testing.T, dir string, sb *sandbox.Sandbox, gaveUp []string) {
	t.Helper()
	want := make(map[string]bool)
	for ev := range sb.Events() {
		switch {
		case slices.Contains(gaveUp, ev.ID):
		case ev.Type == sandbox.DataModelChanges:
			for i := range ev.Records {
				want[fmt.Sprintf("rootfi/%s#%d", known(ev.ID), i)] = true
			}
		default:
			want["rootfi/"+known(ev.ID)] = true
		}
	}
	got := make(map[string]int)
	for _, line := range jsonLines(t, dir) {
		got[line.IdempotencyKey]++
	}
	for key, n := range got {
		if n > 1 {
			t.Errorf("the trail has %s %d times", key, n)
		}
		if !want[key] {
			t.Errorf("the trail has %s, which was not sent", key)
		}
	}
	missing := 0
	for key := range want {
		if got[key] == 0 {
			if missing++; missing < 10 {
				t.Errorf("the trail lacks %s", key)
			}
		}
	}
	if missing > 0 || len(want) == 0 {
		t.Errorf("%d of %d changes and events are missing in the trail", missing, len(want))
	}
}

// known is the id under which the server knows an event: of a body without an
// id of its own, half of its hash.
func known(id string) string {
	const half = len("sha256:") + 32
	if strings.HasPrefix(id, "sha256:") && len(id) > half {
		return id[:half]
	}
	return id
}

// trailLine is what the tests read of a line that the file plugin wrote.
type trailLine struct {
	IdempotencyKey string          `json:"idempotency_key"`
	EventID        string          `json:"event_id"`
	Fields         json.RawMessage `json:"fields"`
}

func jsonLines(t *testing.T, dir string) []trailLine {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out []trailLine
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var l trailLine
			if err := json.Unmarshal(line, &l); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
				t.Errorf("%s has a torn line: %v", filepath.Base(file), err)
			}
			out = append(out, l)
		}
	}
	return out
}

// performance is a run of a sandbox in the background.
type performance struct {
	t      *testing.T
	over   chan struct{}
	report sandbox.Report
	err    error
}

// perform plays the sandbox until it is over, or the test is.
func perform(t *testing.T, sb *sandbox.Sandbox, to sandbox.Target, phases ...sandbox.Phase) *performance {
	ctx, cancel := context.WithCancel(t.Context())
	p := &performance{t: t, over: make(chan struct{})}
	go func() {
		defer close(p.over)
		p.report, p.err = sb.Play(ctx, to, phases...)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.over
	})
	return p
}

func (p *performance) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// wait returns the report when every webhook was acknowledged.
func (p *performance) wait() sandbox.Report {
	p.t.Helper()
	<-p.over
	if p.err != nil {
		p.t.Fatal(p.err)
	}
	if len(p.report.GaveUp) > 0 {
		p.t.Fatalf("%d webhooks were given up, the first: %+v", len(p.report.GaveUp), p.report.GaveUp[0])
	}
	return p.report
}

// applied checks that the server knows every acknowledged event and has merged
// it.
func (s *server) applied(acks map[string]int) {
	s.t.Helper()
	left, unfinished := make(map[string]bool), 0
	for id := range acks {
		left[known(id)] = true
	}
	for before := ""; ; {
		page, err := s.client.Events(s.t.Context(), map[string]string{"limit": "1000", "before": before})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range page {
			if e.State != "applied" {
				unfinished++
			}
			delete(left, e.ID)
			before = fmt.Sprint(e.Seq)
		}
		if len(page) == 0 {
			break
		}
	}
	if unfinished > 0 {
		s.t.Errorf("%d events are not merged", unfinished)
	}
	if len(left) > 0 {
		lost := slices.Sorted(maps.Keys(left))
		s.t.Errorf("the server has lost %d events that it had acknowledged: %s …", len(lost), lost[0])
	}
}

// nothingDead checks that nothing was given up.
func (s *server) nothingDead(status admin.Status) {
	s.t.Helper()
	letters, err := s.client.DeadLetters(s.t.Context(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, l := range letters {
		s.t.Errorf("dead letter: %s %s %s %s: %s", l.Destination, l.Kind, l.ErrorKind, l.Code, l.Message)
	}
	for _, d := range status.Deliveries {
		if d.Dead > 0 {
			s.t.Errorf("%d deliveries of %s to %s are dead", d.Dead, d.Model, d.Destination)
		}
	}
}

// tireless are the options of a sandbox whose webhooks outlive the time that a
// server is away, with every fault on.
func tireless(seed uint64, records int) sandbox.Options {
	return sandbox.Options{
		Seed: seed, Records: records, Faults: sandbox.Faults,
		Retries: 12, RetryBase: 50 * time.Millisecond,
	}
}

func countEvents(sb *sandbox.Sandbox, phases ...sandbox.Phase) int {
	n := 0
	for range sb.Events(phases...) {
		n++
	}
	return n
}
