package destinationtest_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

// table is where the memory destination writes; it outlives the destination.
type table struct {
	mu       sync.Mutex
	versions map[string]int64
	rows     map[string]map[string]string // by object and key
	order    []string
}

// tables by the name in the settings.
type tables struct {
	mu   sync.Mutex
	all  map[string]*table
	next int
}

func (ts *tables) get(name string) *table {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.all[name] == nil {
		ts.all[name] = &table{versions: map[string]int64{}, rows: map[string]map[string]string{}}
	}
	return ts.all[name]
}

type settings struct {
	Table string `json:"table"`
	Token string `json:"token,omitempty" jsonschema:"writeOnly=true"`
}

// memory is a correct destination, unless it is broken on purpose.
type memory struct {
	tables *tables
	broken string
	table  *table
}

func (m *memory) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "memory", Version: "1", ConfigSchema: serve.Schema[settings](), MaxBatchRecords: 100,
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
	}, nil
}

func (m *memory) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if m.broken == "bad_settings" {
		err = nil
	}
	if err != nil {
		return err
	}
	if s.Token != "" {
		text := "the token is not valid"
		if m.broken == "secrets" {
			text += ": " + s.Token
		}
		return errors.New(text)
	}
	m.table = m.tables.get(s.Table)
	return nil
}

func (m *memory) Check(context.Context) error { return nil }

func (m *memory) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	return []string{fmt.Sprintf("%d records", len(b.Records))}, nil
}

func (m *memory) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	if m.broken == "cancel" {
		ctx = context.WithoutCancel(ctx)
		b.Records = b.Records[:1]
	}
	results := make([]destination.Result, len(b.Records))
	for i, r := range b.Records {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		results[i] = m.write(b, r)
		if m.broken == "bad_record" && results[i].Kind != destination.Delivered {
			return nil, errors.New("the whole batch failed")
		}
	}
	return results, nil
}

func (m *memory) write(b destination.Batch, r destination.Record) destination.Result {
	key := b.Object + "\x00" + strings.Join(r.Key, "\x00")
	version := r.Version
	switch r.Operation {
	case destination.Append:
		key, version = b.Object+"\x00"+r.IdempotencyKey, 1
		if m.broken == "changes_repeat" {
			key += fmt.Sprint(len(m.table.order))
		}
	case destination.Upsert, destination.Delete:
	default:
		return destination.Result{Kind: destination.Rejected, Code: "OPERATION"}
	}
	for _, v := range r.Fields {
		if strings.Contains(string(v), `\u0000`) {
			return destination.Result{Kind: destination.Rejected, Code: "NUL"}
		}
	}
	known, seen := m.table.versions[key]
	if seen && version <= known && m.broken != "older_version" {
		return destination.Result{Kind: destination.Delivered}
	}
	if !seen {
		m.table.order = append(m.table.order, key)
	}
	m.table.versions[key] = version
	row := m.table.rows[key]
	if row == nil {
		row = map[string]string{}
		m.table.rows[key] = row
	}
	for i, name := range b.KeyFields {
		row[name] = r.Key[i]
	}
	delete(row, "_deleted_at")
	if r.Operation == destination.Delete {
		row["_deleted_at"] = "now"
		return destination.Result{Kind: destination.Delivered}
	}
	for name, v := range r.Fields {
		row[name] = m.text(v)
		if string(v) == "null" && m.broken != "null" {
			delete(row, name)
		}
	}
	return destination.Result{Kind: destination.Delivered}
}

func (m *memory) text(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	if m.broken == "decimals" {
		var f float64
		if json.Unmarshal(v, &f) == nil {
			return fmt.Sprint(f)
		}
	}
	return string(v)
}

type harness struct {
	tables *tables
	broken string
	lacks  map[string]string
}

func (h harness) New(*testing.T) destination.Destination {
	return &memory{tables: h.tables, broken: h.broken}
}

func (h harness) Settings(*testing.T) json.RawMessage {
	h.tables.mu.Lock()
	defer h.tables.mu.Unlock()
	h.tables.next++
	return json.RawMessage(fmt.Sprintf(`{"table":"t%d"}`, h.tables.next))
}

func (h harness) Rows(_ *testing.T, raw json.RawMessage, object string) []map[string]string {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(err)
	}
	tb := h.tables.get(s.Table)
	tb.mu.Lock()
	defer tb.mu.Unlock()
	var rows []map[string]string
	for _, key := range tb.order {
		if strings.HasPrefix(key, object+"\x00") {
			rows = append(rows, tb.rows[key])
		}
	}
	return rows
}

func (h harness) Lacks() map[string]string { return h.lacks }

func newHarness() harness { return harness{tables: &tables{all: map[string]*table{}}} }

func TestCorrectDestinationPasses(t *testing.T) {
	h := newHarness()
	if broken := os.Getenv("TEST_BROKEN"); strings.HasPrefix(broken, "lacks ") {
		h.lacks = map[string]string{strings.TrimPrefix(broken, "lacks "): os.Getenv("TEST_REASON")}
	} else {
		h.broken = broken
	}
	destinationtest.Run(t, h)
}

// A suite that a broken destination passes proves nothing. Each case runs the
// test above in a process of its own, where it has to fail.
func TestBrokenDestinationsFail(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for broken, want := range map[string]string{
		"bad_settings":   "",
		"secrets":        "",
		"older_version":  "",
		"null":           "",
		"decimals":       "",
		"bad_record":     "",
		"changes_repeat": "",
		"cancel":         "",
		"lacks rocket":   `Lacks names "rocket"`,
		"lacks upsert":   "Lacks gives no reason",
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestCorrectDestinationPasses$", "-test.v")
			cmd.Env = append(os.Environ(), "TEST_BROKEN="+broken)
			out, err := cmd.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed {
				t.Fatalf("it passed: %v", err)
			}
			if want := cmp.Or(want, "--- FAIL: TestCorrectDestinationPasses/"+broken+" "); !strings.Contains(string(out), want) {
				t.Errorf("the output has no %q:\n%s", want, out)
			}
		})
	}
}
