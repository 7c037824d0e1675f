package rootfi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/rootfi"
)

func seed(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, body := range []string{``, `{}`, `[]`, `{"a":"\\"}`, "\ufeff{}", `{"data":[`, `{"webhook_type":"\u0053YNC_COMPLETED"}`} {
		f.Add([]byte(body))
	}
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		ev, err := rootfi.Parse("rootfi", body, received)
		if !bytes.Equal(before, body) {
			t.Fatal("Parse altered the body")
		}
		valid := json.Valid(bytes.TrimPrefix(body, []byte("\ufeff")))
		if (err == nil) != valid {
			t.Fatalf("err = %v, valid = %v", err, valid)
		}
		if err != nil {
			if !errors.Is(err, rootfi.ErrNotJSON) {
				t.Fatalf("err = %v", err)
			}
			return
		}
		if ev.ID == "" || ev.Kind == "" || ev.Format == "" || !bytes.Equal(ev.Body, body) {
			t.Fatalf("incomplete event %+v", ev)
		}
		for _, s := range []string{ev.ID, ev.CompanyID, ev.Integration, ev.Model, ev.SyncID, ev.JobID, ev.Status, ev.SyncType} {
			if len(s) > 200 || !utf8.ValidString(s) || bytes.IndexByte([]byte(s), 0) >= 0 {
				t.Fatalf("unfit text %q", s)
			}
		}
	})
}

func FuzzChanges(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := rootfi.Parse("rootfi", body, received)
		if err != nil {
			return
		}
		changes, unkeyed, err := rootfi.Changes(ev)
		if err != nil {
			t.Fatalf("an accepted event has no changes: %v", err)
		}
		if ev.Kind != event.KindDataModelChanges {
			return
		}
		if len(changes)+len(unkeyed) != ev.Records {
			t.Fatalf("%d changes and %d unkeyed of %d records", len(changes), len(unkeyed), ev.Records)
		}
		records := decodeRecords(t, body)
		for _, c := range changes {
			k := c.Key
			if k.Source == "" || k.CompanyID == "" || k.Model == "" || k.PlatformID == "" || c.Stamp.At == 0 {
				t.Fatalf("incomplete key %+v", c)
			}
			// An independent reading of the same element, numbers as text.
			want := records[c.Stamp.Index].(map[string]any)
			if len(want) != len(c.Fields) {
				t.Fatalf("%d fields, want %d", len(c.Fields), len(want))
			}
			for name, raw := range c.Fields {
				if got := decode(t, raw); !reflect.DeepEqual(got, want[name]) {
					t.Fatalf("%q = %v, want %v", name, got, want[name])
				}
			}
		}
	})
}

func decode(t *testing.T, raw []byte) any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return v
}

func decodeRecords(t *testing.T, body []byte) []any {
	envelope := decode(t, bytes.TrimPrefix(body, []byte("\ufeff"))).(map[string]any)
	if list, ok := envelope["data"].([]any); ok {
		return list
	}
	return []any{envelope["data"]}
}
