package destinationtest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"context"

	"github.com/sluicehq/sluice/plugins/destination"
)

// marker stands for a secret.
const marker = "s3cr3t-c0nf0rmance"

func describe(t *testing.T, s *suite) {
	d := open(t, s.harness)
	first, err := d.Describe(t.Context())
	if err != nil {
		t.Fatalf("describe before configure: %v", err)
	}
	if first.Name == "" || first.Version == "" {
		t.Errorf("name %q and version %q must not be empty", first.Name, first.Version)
	}
	if first.MaxBatchRecords < 0 || first.MaxBatchBytes < 0 {
		t.Errorf("limits %d and %d must not be negative", first.MaxBatchRecords, first.MaxBatchBytes)
	}
	if len(first.ConfigSchema) > 0 {
		var schema map[string]any
		if err := json.Unmarshal(first.ConfigSchema, &schema); err != nil {
			t.Errorf("config schema: %v", err)
		}
	}
	modes := 0
	for _, c := range first.Capabilities {
		switch c {
		case destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents:
			modes++
		case destination.CapabilityCheck:
			if _, ok := d.Destination.(destination.Checker); !ok {
				t.Error("announces check and is no Checker")
			}
		case destination.CapabilityDryRun:
			if _, ok := d.Destination.(destination.DryRunner); !ok {
				t.Error("announces dry_run and is no DryRunner")
			}
		case destination.CapabilityObjects:
			if _, ok := d.Destination.(destination.ObjectChecker); !ok {
				t.Error("announces objects and is no ObjectChecker")
			}
		}
	}
	if modes == 0 {
		t.Error("takes batches of no mode: announce records, changes or events")
	}
	if err := d.Configure(t.Context(), s.settings); err != nil {
		t.Fatalf("configure: %v", err)
	}
	second, err := d.Describe(t.Context())
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Errorf("describes itself differently after configure: %+v, %v", second, err)
	}
}

func badSettings(t *testing.T, s *suite) {
	for name, settings := range map[string]json.RawMessage{
		"unknown name":  with(t, s.settings, "no_such_setting", `1`),
		"not an object": json.RawMessage(`[]`),
		"not JSON":      json.RawMessage(`{`),
	} {
		err := open(t, s.harness).Configure(t.Context(), settings)
		switch {
		case err == nil:
			t.Errorf("%s: accepted", name)
		case strings.TrimSpace(err.Error()) == "":
			t.Errorf("%s: the error is empty", name)
		case name == "unknown name" && !strings.Contains(err.Error(), "no_such_setting"):
			t.Errorf("%s: the error does not name it: %v", name, err)
		}
	}
}

func check(t *testing.T, s *suite) {
	d := s.start(t)
	c, ok := d.Destination.(destination.Checker)
	if !ok {
		t.Fatal("announces check and is no Checker")
	}
	for range 2 {
		if err := c.Check(t.Context()); err != nil {
			t.Errorf("check: %v", err)
		}
	}
}

func dryRun(t *testing.T, s *suite) {
	d := s.start(t)
	runner, ok := d.Destination.(destination.DryRunner)
	if !ok {
		t.Fatal("announces dry_run and is no DryRunner")
	}
	lines, err := runner.DryRun(t.Context(), records(put("a", 1, `{"memo":"m"}`)))
	if err != nil || len(lines) == 0 {
		t.Errorf("dry run: %d lines, %v", len(lines), err)
	}
	if rows := s.rows(t, object); len(rows) != 0 {
		t.Errorf("the dry run wrote %d rows", len(rows))
	}
}

// A wrong secret must not come back in what people and logs see. Secrets are the
// settings that the schema marks writeOnly.
func secrets(t *testing.T, s *suite) {
	var schema struct {
		Properties map[string]struct {
			WriteOnly bool `json:"writeOnly"`
		} `json:"properties"`
	}
	if len(s.description.ConfigSchema) > 0 {
		if err := json.Unmarshal(s.description.ConfigSchema, &schema); err != nil {
			t.Fatalf("config schema: %v", err)
		}
	}
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(s.settings, &settings); err != nil {
		t.Fatal(err)
	}
	for name, p := range schema.Properties {
		if !p.WriteOnly {
			continue
		}
		var old string
		_ = json.Unmarshal(settings[name], &old)
		for _, secret := range wrongSecrets(old) {
			s.leaks(t, name, with(t, s.settings, name, quote(secret)))
		}
		s.leaks(t, name, with(t, s.settings, name, fmt.Sprintf(`[%q]`, marker)))
	}
}

// wrongSecrets are values like old that hold the marker: well formed and not.
func wrongSecrets(old string) []string {
	list := []string{marker, "user:" + marker + "@nowhere", "://user:" + marker + "@%zz:port/"}
	if u, err := url.Parse(old); err == nil && u.Host != "" {
		u.User = url.UserPassword("user", marker)
		u.Host = "127.0.0.1:1"
		list = append(list, u.String(), strings.Replace(u.String(), ":1", ":port", 1))
	}
	return list
}

// leaks uses the settings and looks for the marker in every error.
func (s *suite) leaks(t *testing.T, name string, settings json.RawMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	d := open(t, s.harness)
	see := func(where, text string) {
		if strings.Contains(text, marker) {
			t.Errorf("setting %s: its value is in the text of %s", name, where)
		}
	}
	if err := d.Configure(ctx, settings); err != nil {
		see("the error of Configure", err.Error())
		return
	}
	if c, ok := d.Destination.(destination.Checker); ok {
		if err := c.Check(ctx); err != nil {
			see("the error of Check", err.Error())
		}
	}
	results, err := d.Write(ctx, records(put("a", 1, `{"memo":"m"}`)))
	if err != nil {
		see("the error of Write", err.Error())
	}
	for _, r := range results {
		see("a result", r.Code+" "+r.Message)
	}
}

// with returns the settings with one of them set to value.
func with(t *testing.T, settings json.RawMessage, name, value string) json.RawMessage {
	t.Helper()
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(settings, &members); err != nil {
		t.Fatalf("the harness's settings: %v", err)
	}
	members[name] = json.RawMessage(value)
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
