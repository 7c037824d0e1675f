package bench

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMessages(t *testing.T) {
	m := newMessage(3, "UPDATE", time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	type envelope struct {
		RootfiID  string `json:"rootfi_id"`
		CreatedAt string `json:"created_at"`
		Type      string `json:"type"`
		Number    int    `json:"no_of_records"`
		Data      []struct {
			PlatformID string `json:"platform_id"`
		} `json:"data"`
	}
	for _, tt := range []struct {
		event, first int64
		id           string
		records      []string
	}{
		{0, 0, "bench0000000000", []string{"INVOICE_0000000000", "INVOICE_0000000001", "INVOICE_0000000002"}},
		{1234567890, 98, "bench1234567890", []string{"INVOICE_0000000098", "INVOICE_0000000099", "INVOICE_0000000100"}},
		{7, 10, "bench0000000007", []string{"INVOICE_0000000010", "INVOICE_0000000011", "INVOICE_0000000012"}},
	} {
		var e envelope
		if err := json.Unmarshal(m.with(tt.event, tt.first), &e); err != nil {
			t.Fatal(err)
		}
		if e.RootfiID != tt.id || e.CreatedAt != "2026-03-01T10:00:00.000Z" || e.Type != "UPDATE" || e.Number != 3 || len(e.Data) != 3 {
			t.Errorf("envelope %+v, want id %s", e, tt.id)
		}
		for i, r := range e.Data {
			if r.PlatformID != tt.records[i] {
				t.Errorf("event %d, record %d is %s, want %s", tt.event, i, r.PlatformID, tt.records[i])
			}
		}
	}
	if n := len(newMessage(1, "CREATE", time.Now()).body); n != oneKB {
		t.Errorf("a message with one record has %d bytes", n)
	}
}

// An open loop must plan each message for its own moment, also for a connection
// that comes late because the server was slow.
func TestAnOpenLoopCountsFromThePlannedMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		next, err := load{connections: 1, records: 1, count: 4, rate: 10}.plan(t.Context(), begin)
		if err != nil {
			t.Fatal(err)
		}
		for i, wait := range []time.Duration{0, 350 * time.Millisecond, 0, 0} {
			time.Sleep(wait) // the answer to the message before
			n, from, more := next()
			planned := time.Duration(i) * 100 * time.Millisecond
			if n != int64(i) || !more || from.Sub(begin) != planned {
				t.Errorf("message %d counts from %v, want %v", n, from.Sub(begin), planned)
			}
			if now := time.Since(begin); now < planned {
				t.Errorf("message %d left at %v, before its moment", n, now)
			}
		}
		if got := time.Since(begin); got != 350*time.Millisecond {
			t.Errorf("late messages left at %v: they must not wait again", got)
		}
		if _, _, more := next(); more {
			t.Error("there is a fifth message")
		}
	})
}

func TestAClosedLoopWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		next, err := load{
			connections: 1, records: 1, limit: time.Second,
			room: func(int64) bool { return time.Since(begin) >= 300*time.Millisecond },
		}.plan(t.Context(), begin)
		if err != nil {
			t.Fatal(err)
		}
		if _, from, more := next(); !more || from.Sub(begin) < 300*time.Millisecond || from.Sub(begin) > 310*time.Millisecond {
			t.Errorf("the first message left at %v", from.Sub(begin))
		}
		time.Sleep(time.Second)
		if _, _, more := next(); more {
			t.Error("a message left after the end")
		}
	})
}

func TestALoadWithoutAnEndIsRefused(t *testing.T) {
	if _, err := (load{connections: 1, records: 1}).plan(t.Context(), time.Now()); err == nil {
		t.Error("it would never end")
	}
}

func TestNotifications(t *testing.T) {
	var got []int64
	w := &watch{begin: time.Now(), ids: func(record int64, _ time.Time) { got = append(got, record) }}
	w.saw("INVOICE_0000000007 INVOICE_0000000012", time.Now())
	if len(got) != 2 || got[0] != 7 || got[1] != 12 || w.rows != 2 || w.err != nil {
		t.Errorf("saw %v, %d rows, %v", got, w.rows, w.err)
	}
	w.saw("CONTACT_1", time.Now())
	if w.err == nil || w.rows != 2 {
		t.Errorf("a row of somebody else counts: %d rows, %v", w.rows, w.err)
	}
	w = &watch{begin: time.Now()}
	w.saw("500 2026-03-01 10:00:00.1+00", time.Now())
	w.saw("20 2026-03-01 10:00:00.2+00", time.Now().Add(time.Second))
	if w.rows != 520 || w.err != nil || len(w.curve) != 2 || w.curve[1].Y != 520 {
		t.Errorf("%d rows, curve %v, %v", w.rows, w.curve, w.err)
	}
}

func TestFigures(t *testing.T) {
	for want, v := range map[string]float64{
		"0": 0, "0.50": 0.5, "3.14": 3.1416, "31.4": 31.416, "42": 42, "314": 314.16, "15,000": 15_000, "1,234,567": 1_234_567, "-1,234": -1234,
	} {
		if got := figure(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
	for want, v := range map[float64]float64{0: 0, 3.142: math.Pi, 12346: 12345.67, 0.01235: 0.0123456} {
		if got := round(v); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v is rounded to %v, want %v", v, got, want)
		}
	}
}

// fixture has a met and a missed target of each kind.
func fixture() *Results {
	r := Result{Scenario: "rates", Date: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), Commit: "abc", Command: "sluice-bench", Setup: "sqlite ledger"}
	r.below("10/s, p50", 12.345, "ms", 30)
	r.below("100/s, p50", 60, "ms", 50)
	r.atLeast("100/s, delivered", 100, "/s", 90)
	r.atLeast("10/s, delivered", 9, "/s", 10)
	h := newHistogram()
	for i := range int64(1000) {
		if err := h.RecordValue(i * 1000); err != nil {
			panic(err)
		}
	}
	r.Curves = []Curve{distribution("100/s", h)}
	return &Results{Machine: Machine{CPU: "some", Cores: 2, MemoryGiB: 24, System: "linux", FileSystem: "ext4", Go: "go1", PostgreSQL: "17"}, Scenarios: []Result{r}}
}

func TestReport(t *testing.T) {
	page, err := Report("# Page\n\n"+beginMark+"\nold\n"+endMark+"\n\nrest\n", fixture())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# Page\n", "\nrest\n", "|  | 10/s | 100/s |", "| p50 | 12.3 ms (< 30 ms: met) | 60 ms (< 50 ms: missed) |",
		"| delivered | 9 /s (≥ 10 /s: missed) | 100 /s (≥ 90 /s: met) |", "commit abc", "![From the planned",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "old") {
		t.Error("the old part stays")
	}
	again, err := Report(page, fixture())
	if err != nil || again != page {
		t.Errorf("a second report differs: %v", err)
	}
	if _, err := Report("# Page\n", fixture()); err == nil {
		t.Error("a page without marks was taken")
	}
}

func TestUpdateReplacesScenarios(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	of := func(names ...string) *Results {
		r := &Results{}
		for _, name := range names {
			r.Scenarios = append(r.Scenarios, Result{Scenario: name, Commit: strings.Join(names, "+")})
		}
		return r
	}
	for _, fresh := range []*Results{of("burst", "rates"), of("accept", "burst")} {
		if _, err := Update(file, fresh); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, s := range got.Scenarios {
		text = append(text, s.Scenario+" of "+s.Commit)
	}
	if want := "accept of accept+burst, rates of burst+rates, burst of accept+burst"; strings.Join(text, ", ") != want {
		t.Errorf("got %v, want %s", text, want)
	}
}

func TestPlot(t *testing.T) {
	dir := t.TempDir()
	if err := Plot(fixture(), dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "latency.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "<svg") || !strings.Contains(string(b), "99.9") {
		t.Error("the plot has no axis of percentiles")
	}
}

// The page shows what the committed results say, and nothing else.
func TestThePageIsThatOfTheResults(t *testing.T) {
	results, err := Read("../../docs/benchmarks/results.json")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Report(string(page), results)
	if err != nil {
		t.Fatal(err)
	}
	if want != string(page) {
		t.Error("docs/benchmarks.md does not show docs/benchmarks/results.json: run sluice-bench report docs/benchmarks/results.json")
	}
	for _, p := range plots {
		if !slices.ContainsFunc(results.Scenarios, func(r Result) bool { return r.Scenario == p.scenario }) {
			continue
		}
		if _, err := os.Stat("../../docs/benchmarks/" + p.file); err != nil {
			t.Error(err)
		}
	}
}

func TestUsedPages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	header := make([]byte, 3*4096)
	copy(header, "SQLite format 3\x00\x10\x00")
	header[39] = 2 // free pages
	if err := os.WriteFile(file, header, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := used(file); err != nil || n != 4096 {
		t.Errorf("%d bytes are used, %v", n, err)
	}
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := used(file); err != nil || n != 4 {
		t.Errorf("%d bytes are used, %v", n, err)
	}
}
