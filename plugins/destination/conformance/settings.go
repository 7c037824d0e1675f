package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// marker stands for a secret.
const marker = "s3cr3t-c0nf0rmance"

func describe(t T, s *suite) {
	d := s.open(t)
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

func badSettings(t T, s *suite) {
	refused := func(what string, settings json.RawMessage, names string) {
		err := s.open(t).Configure(t.Context(), settings)
		switch {
		case err == nil:
			t.Errorf("%s: accepted", what)
		case strings.TrimSpace(err.Error()) == "":
			t.Errorf("%s: the error is empty", what)
		case !strings.Contains(err.Error(), names):
			t.Errorf("%s: the error does not name it: %v", what, err)
		}
	}
	refused("unknown name", with(t, s.settings, "no_such_setting", `1`), "no_such_setting")
	refused("not an object", json.RawMessage(`[]`), "")
	refused("not JSON", json.RawMessage(`{`), "")
	for _, name := range s.schema(t).Required {
		refused("without "+name, without(t, s.settings, name), name)
	}
}

// schema is the part of the settings' schema that the suite reads.
type schema struct {
	Required   []string `json:"required"`
	Properties map[string]struct {
		WriteOnly bool `json:"writeOnly"`
	} `json:"properties"`
}

func (s *suite) schema(t T) (read schema) {
	t.Helper()
	if len(s.description.ConfigSchema) > 0 {
		if err := json.Unmarshal(s.description.ConfigSchema, &read); err != nil {
			t.Fatalf("config schema: %v", err)
		}
	}
	return read
}

func check(t T, s *suite) {
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

func dryRun(t T, s *suite) {
	d := s.start(t)
	runner, ok := d.Destination.(destination.DryRunner)
	if !ok {
		t.Fatal("announces dry_run and is no DryRunner")
	}
	lines, err := runner.DryRun(t.Context(), records(put("a", 1, `{"memo":"m"}`)))
	if err != nil || len(lines) == 0 {
		t.Errorf("dry run: %d lines, %v", len(lines), err)
	}
	if rows, _ := s.rows(t, object); len(rows) != 0 {
		t.Errorf("the dry run wrote %d rows", len(rows))
	}
}

// A wrong secret must not come back in what people and logs see. Secrets are the
// settings that the schema marks writeOnly.
func secrets(t T, s *suite) {
	var settings map[string]json.RawMessage
	if err := json.Unmarshal(s.settings, &settings); err != nil {
		t.Fatal(err)
	}
	for name, p := range s.schema(t).Properties {
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
func (s *suite) leaks(t T, name string, settings json.RawMessage) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	d := s.open(t)
	defer func() {
		d.close(t)
		if p, ok := d.Destination.(Process); ok && strings.Contains(p.Log(), marker) {
			t.Errorf("setting %s: its value is in the log", name)
		}
	}()
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

// Who reads the error has to know what to do, and Sluice that it has to pause.
func wrongCredentials(t T, s *suite) {
	if s.WrongCredentials == nil {
		s.notRun("no wrong credentials are known")
		return
	}
	wrong := s.WrongCredentials(t, s.settings)
	d := s.open(t)
	err := d.Configure(t.Context(), wrong)
	if err == nil {
		c, ok := d.Destination.(destination.Checker)
		if !ok {
			t.Fatal("announces check and is no Checker")
		}
		err = c.Check(t.Context())
		for _, r := range judge(t, d, records(put("a", 1, `{"memo":"m"}`), put("b", 1, `{"memo":"m"}`))) {
			if r.Kind != destination.Misconfigured {
				t.Errorf("write: %v %s %s, want misconfigured", r.Kind, r.Code, r.Message)
			}
		}
	}
	switch f, ok := errors.AsType[*destination.Failure](err); {
	case err == nil:
		t.Error("check passes with the wrong credentials")
	case ok && f.Kind != destination.Misconfigured:
		t.Errorf("check fails as %v, want misconfigured: %v", f.Kind, err)
	case len(strings.Fields(err.Error())) < 3:
		t.Errorf("the error of check says too little: %q", err)
	}
	if err != nil {
		for _, secret := range s.secretsOf(t, wrong) {
			if strings.Contains(err.Error(), secret) {
				t.Error("the error of check quotes the credentials")
			}
		}
	}
}

// secretsOf are the texts in those settings that the schema calls secret. Short
// ones are in any text by chance.
func (s *suite) secretsOf(t T, settings json.RawMessage) []string {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(settings, &members); err != nil {
		t.Fatal(err)
	}
	var list []string
	for name, p := range s.schema(t).Properties {
		var text string
		if p.WriteOnly && json.Unmarshal(members[name], &text) == nil && len(text) >= 6 {
			list = append(list, text)
		}
	}
	return list
}

// with returns the settings with one of them set to value.
func with(t T, settings json.RawMessage, name, value string) json.RawMessage {
	t.Helper()
	return edit(t, settings, func(members map[string]json.RawMessage) { members[name] = json.RawMessage(value) })
}

// without returns the settings without one of them.
func without(t T, settings json.RawMessage, name string) json.RawMessage {
	t.Helper()
	return edit(t, settings, func(members map[string]json.RawMessage) { delete(members, name) })
}

func edit(t T, settings json.RawMessage, change func(map[string]json.RawMessage)) json.RawMessage {
	t.Helper()
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(settings, &members); err != nil {
		t.Fatalf("the settings: %v", err)
	}
	change(members)
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
