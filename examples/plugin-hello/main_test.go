package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// harness tells the suite how to make the destination and how to read it back.
type harness struct{ binary string } // "": in process

func TestConformance(t *testing.T) {
	t.Run("in process", func(t *testing.T) { destinationtest.Run(t, harness{}) })
	binary := hosttest.Build(t, ".", "hello")
	t.Run("as a process", func(t *testing.T) { destinationtest.Run(t, harness{binary}) })
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return &hello{}
}

func (harness) Settings(t *testing.T) json.RawMessage {
	raw, err := json.Marshal(settings{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (harness) Lacks() map[string]string { return nil }

func (harness) Rows(t *testing.T, raw json.RawMessage, object string) []map[string]string {
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(s.Path, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var r row
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		if r.Object == object {
			out = append(out, flat(r))
		}
	}
	return out
}

// flat is a row as the suite compares it.
func flat(r row) map[string]string {
	out := map[string]string{"_company_id": r.Key[0], "_integration_type": r.Key[1], "_platform_id": r.Key[2]}
	if r.Deleted {
		out["_deleted_at"] = "yes"
	}
	for name, value := range r.Fields {
		var text string
		switch {
		case string(value) == "null":
		case json.Unmarshal(value, &text) == nil:
			out[name] = text
		default:
			out[name] = string(value)
		}
	}
	return out
}
