package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// body is a webhook as a receiver reads it.
type body struct {
	ID          string          `json:"rootfi_id"`
	CreatedAt   string          `json:"created_at"`
	CompanyID   json.Number     `json:"company_id"`
	Integration string          `json:"integration_type"`
	Model       string          `json:"data_model"`
	Operation   string          `json:"type"`
	Type        string          `json:"webhook_type"`
	Claimed     *int            `json:"no_of_records"`
	SyncID      string          `json:"sync_id"`
	JobID       string          `json:"job_id"`
	Data        json.RawMessage `json:"data"`
	Connection  string          `json:"connection_status"`
}

func decode(t tb, raw []byte) body {
	t.Helper()
	var b body
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatalf("body is not JSON: %v\n%s", err, raw)
	}
	return b
}

// elements are the records of a data-model body: an array, or one object in v2.
func (b body) elements(t tb) []map[string]json.RawMessage {
	t.Helper()
	if b.Data[0] == '{' {
		var one map[string]json.RawMessage
		if err := json.Unmarshal(b.Data, &one); err != nil {
			t.Fatal(err)
		}
		return []map[string]json.RawMessage{one}
	}
	var many []map[string]json.RawMessage
	if err := json.Unmarshal(b.Data, &many); err != nil {
		t.Fatal(err)
	}
	return many
}

type cell struct {
	at    string
	value json.RawMessage
}

type row struct {
	written, tombstone string
	cells              map[string]cell
}

// replay computes the final state from the bodies alone, in any order: per
// field the value with the latest created_at. It shares nothing with the
// sandbox's own account.
func replay(t tb, bodies [][]byte) map[string]string {
	t.Helper()
	rows := make(map[string]*row)
	for _, raw := range bodies {
		b := decode(t, raw)
		if b.Type != "" && b.Type != sandbox.DataModelChanges {
			continue
		}
		for _, element := range b.elements(t) {
			var id string
			if err := json.Unmarshal(element["platform_id"], &id); err != nil {
				t.Fatalf("platform_id: %v", err)
			}
			key := strings.Join([]string{b.CompanyID.String(), b.Integration, b.Model, id}, "/")
			r := rows[key]
			if r == nil {
				r = &row{cells: make(map[string]cell)}
				rows[key] = r
			}
			if b.Operation == "DELETE" {
				r.tombstone = max(r.tombstone, b.CreatedAt)
			} else {
				r.written = max(r.written, b.CreatedAt)
			}
			for name, value := range element {
				if b.CreatedAt > r.cells[name].at {
					r.cells[name] = cell{b.CreatedAt, value}
				}
			}
		}
	}
	out := make(map[string]string)
	for key, r := range rows {
		deleted := r.tombstone != "" && r.written <= r.tombstone
		fields := make(map[string]string)
		for name, c := range r.cells {
			if deleted || c.at > r.tombstone {
				fields[name] = normal(t, c.value)
			}
		}
		out[key] = describe(deleted, fields)
	}
	return out
}

func described(t tb, records []sandbox.Record) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, r := range records {
		fields := make(map[string]string)
		for name, value := range r.Fields {
			fields[name] = normal(t, value)
		}
		out[strings.Join([]string{r.CompanyID, r.Integration, r.Model, r.PlatformID}, "/")] = describe(r.Deleted, fields)
	}
	return out
}

func describe(deleted bool, fields map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "deleted=%v", deleted)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, " %s=%s", name, fields[name])
	}
	return b.String()
}

// normal is a JSON value with sorted keys and numbers as they were.
func normal(t tb, raw json.RawMessage) string {
	t.Helper()
	if raw[0] != '{' && raw[0] != '[' && !bytes.ContainsRune(raw, '\\') {
		return string(raw)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// same fails the test at the first few differences.
func same(t tb, got, want map[string]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	shown := 0
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] && shown < 3 {
			shown++
			t.Errorf("%s:\n got %s\nwant %s", key, got[key], want[key])
		}
	}
}

func bodiesOf(s *sandbox.Sandbox, phases ...sandbox.Phase) [][]byte {
	var out [][]byte
	for ev := range s.Events(phases...) {
		out = append(out, ev.Body)
	}
	return out
}
