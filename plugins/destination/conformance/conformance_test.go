package conformance_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

// process lets a memory pass for a process: what it wrote outlives it, as with
// any.
type process struct{ *memory }

func (p process) PID() int    { return os.Getpid() }
func (p process) Kill() error { return nil }

func (p process) Log() string { return p.log.String() }

// subject is a memory with every ability to be tested.
func subject(broken string, asProcess bool) conformance.Subject {
	ts := &tables{all: map[string]*table{}}
	place := func(raw json.RawMessage) *table {
		var s settings
		if err := json.Unmarshal(raw, &s); err != nil {
			panic(err)
		}
		return ts.get(s.Table)
	}
	return conformance.Subject{
		New: func(conformance.T) destination.Destination {
			m := &memory{tables: ts, broken: broken}
			if asProcess {
				return process{m}
			}
			return m
		},
		Settings: func(conformance.T) json.RawMessage {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			ts.next++
			return json.RawMessage(fmt.Sprintf(`{"table":"t%d","token":"good enough"}`, ts.next))
		},
		WrongCredentials: func(_ conformance.T, raw json.RawMessage) json.RawMessage {
			return json.RawMessage(strings.Replace(string(raw), "good enough", "r3v0ked t0ken", 1))
		},
		Fault: func(_ conformance.T, raw json.RawMessage, f conformance.Fault) bool {
			tb := place(raw)
			tb.mu.Lock()
			defer tb.mu.Unlock()
			if tb.fault.Kind == conformance.FaultHang {
				close(tb.healed)
				tb.healed = make(chan struct{})
			}
			tb.fault, tb.calls = f, 0
			return true
		},
		Rows: func(_ conformance.T, raw json.RawMessage, object string) []map[string]string {
			tb := place(raw)
			tb.mu.Lock()
			defer tb.mu.Unlock()
			var rows []map[string]string
			for _, key := range tb.order {
				if strings.HasPrefix(key, object+"\x00") {
					rows = append(rows, tb.rows[key])
				}
			}
			return rows
		},
	}
}

func try(t *testing.T, s conformance.Subject, only ...string) map[string]conformance.Outcome {
	t.Helper()
	var mu sync.Mutex
	outcomes := map[string]conformance.Outcome{}
	report, err := conformance.Try(t.Context(), s, only, func(o conformance.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		outcomes[o.Case] = o
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Cases) != len(outcomes) || report.Plugin != "memory" {
		t.Errorf("%d cases of %q reported, %d told", len(report.Cases), report.Plugin, len(outcomes))
	}
	return outcomes
}

// It is not parallel: what passes for its process is this one, whose open files
// must be its own.
func TestCorrectDestinationPasses(t *testing.T) {
	for name, asProcess := range map[string]bool{"in process": false, "as a process": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, o := range try(t, subject("", asProcess)) {
				switch {
				case o.Result == conformance.Passed:
				case !asProcess && o.Result == conformance.NotRun && o.Group == "process" && o.Note != "":
				default:
					t.Errorf("%s: %s %s %q", o.Case, o.Result, o.Note, o.Problems)
				}
			}
		})
	}
}

// A suite that a broken destination passes proves nothing.
func TestBrokenDestinationsFail(t *testing.T) {
	t.Parallel()
	for broken, tt := range map[string]struct {
		process bool
		fails   string // "": the case of that name
	}{
		"bad_settings":         {},
		"secrets":              {},
		"log_secrets":          {process: true, fails: "secrets"},
		"wrong_credentials":    {},
		"older_version":        {},
		"partial":              {},
		"null":                 {},
		"decimals":             {},
		"bad_record":           {},
		"batch_over_limit":     {},
		"changes_repeat":       {},
		"cancel":               {},
		"throttle":             {},
		"throttle_without_end": {},
		"token_expiry":         {},
		"outage":               {},
		"hang":                 {},
		"crash":                {process: true},
		"changes_crash":        {process: true},
		"log_contents":         {process: true},
		"handles":              {process: true, fails: "leaks"},
		"goroutines":           {fails: "leaks"},
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			name := broken
			if tt.fails != "" {
				name = tt.fails
			}
			o := try(t, subject(broken, tt.process), name)[name]
			if o.Result != conformance.Failed || len(o.Problems) == 0 {
				t.Errorf("%s: %s %s, want failed", name, o.Result, o.Note)
			}
		})
	}
}

// What nobody can see is not called passed.
func TestUnobserved(t *testing.T) {
	t.Parallel()
	s := subject("null", false)
	s.Rows, s.Fault, s.WrongCredentials = nil, nil, nil
	for name, want := range map[string]conformance.Result{
		"null": conformance.Unobserved, "describe": conformance.Passed, "throttle": conformance.NotRun,
		"wrong_credentials": conformance.NotRun, "unknown_operation": conformance.Unobserved, "crash": conformance.NotRun,
	} {
		if o := try(t, s, name)[name]; o.Result != want {
			t.Errorf("%s: %s %q, want %s", name, o.Result, o.Problems, want)
		}
	}
}

func TestLacks(t *testing.T) {
	t.Parallel()
	s := subject("null", false)
	s.Lacks = map[string]string{"null": "it has no nulls", "upsert": " "}
	got := try(t, s, "null", "upsert")
	if o := got["null"]; o.Result != conformance.Lacks || o.Note != "it has no nulls" {
		t.Errorf("null: %+v", o)
	}
	if o := got["upsert"]; o.Result != conformance.Failed {
		t.Errorf("lacking without a reason: %+v", o)
	}
	s.Lacks = map[string]string{"rocket": "no engine"}
	if _, err := conformance.Try(t.Context(), s, nil, func(conformance.Outcome) {}); err == nil {
		t.Error("a case that there is not was taken")
	}
	if _, err := conformance.Try(t.Context(), subject("", false), []string{"rocket"}, func(conformance.Outcome) {}); err == nil {
		t.Error("a case that there is not was selected")
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range conformance.Cases() {
		if seen[c.Name] || c.Title == "" || c.Group == "" {
			t.Errorf("case %+v", c)
		}
		seen[c.Name] = true
	}
}
