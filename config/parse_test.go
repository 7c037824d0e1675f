package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/config"
	"pgregory.net/rapid"
)

const minimal = `
sources: {rootfi: {type: rootfi, auth: none}}
destinations: {audit: {plugin: file}}
routes: [{name: all, to: [audit]}]
`

func TestDefaults(t *testing.T) {
	c := parse(t, minimal).Config
	for name, v := range map[string][2]any{
		"server.listen":                    {c.Server.Listen, "127.0.0.1:8080"},
		"server.max_body":                  {c.Server.MaxBody, int64(32 << 20)},
		"server.read_timeout":              {c.Server.ReadTimeout, 30 * time.Second},
		"server.max_connections":           {c.Server.MaxConnections, 2048},
		"sources.rootfi.rate_limit":        {c.Sources["rootfi"].RateLimit, (*config.RateLimit)(nil)},
		"server.tls":                       {c.Server.TLS, (*config.TLS)(nil)},
		"data_dir":                         {c.DataDir, "./data"},
		"ledger.retention":                 {c.Ledger.Retention, 720 * time.Hour},
		"temporal.embedded.ui":             {c.Temporal.Embedded.UI, "127.0.0.1:8233"},
		"dispatch.max_events_per_workflow": {c.Dispatch.MaxEventsPerWorkflow, 500},
		"destinations.audit.concurrency":   {c.Destinations["audit"].Concurrency, 4},
		"destinations.audit.retry":         {c.Destinations["audit"].Retry, config.Retry{InitialInterval: time.Second, Coefficient: 2, MaxInterval: 5 * time.Minute, MaxElapsed: 24 * time.Hour}},
		"Flat()[0].mode":                   {c.Flat()[0].Mode, "records"},
	} {
		if !reflect.DeepEqual(v[0], v[1]) {
			t.Errorf("%s: got %v, want %v", name, v[0], v[1])
		}
	}
}

func TestValues(t *testing.T) {
	f := parse(t, `
server: {max_body: 64 KiB, read_timeout: 1d12h, shutdown_timeout: 0, max_in_flight: "${NUMBER}"}
log:
data_dir: 2026
ledger: {retention: 1.5d, dedup_window: "${NUMBER}m"}
plugin_dirs:
sources:
  rootfi:
    type: rootfi
    auth:
      - hmac: {header: X, secrets: [12345, "${WORD}"], signed: "{id}.{timestamp}.{body}", id_header: I, timestamp_header: T}
      - standard_webhooks: {secrets: [whsec_c2VjcmV0]}
    rate_limit: {per_second: 2.5, burst: "${NUMBER}"}
destinations:
  audit:
    plugin: file
    rate_limit: 0.5
    env: {A: "${WORD}", B: 007}
    sha256: 9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08
    config:
      amount: 1.10
      big: 9007199254740993
      hex: 0xFF
      plus: +1_000
      short: -.5
      bare: 5.
      yes: yes
      on: true
      nothing: ~
      day: 2026-01-01
      quoted: "12"
      substituted: ${NUMBER}
      text: "$${kept} $ {} ${WORD}"
      "a/b~c": [1, {"${NUMBER}": "<&>"}]
routes:
  - {name: all, companies: [4711, "0815"], models: ["${WORD}*"], to: [audit]}
`)
	c := f.Config
	if c.Server.MaxBody != 64<<10 || c.Server.ReadTimeout != 36*time.Hour || c.Server.ShutdownTimeout != 0 || c.Server.MaxInFlight != 12 {
		t.Errorf("server: %+v", c.Server)
	}
	if c.DataDir != "2026" || c.Ledger.Retention != 36*time.Hour || c.Ledger.DedupWindow != 12*time.Minute {
		t.Errorf("data_dir %q, ledger %+v", c.DataDir, c.Ledger)
	}
	h := c.Sources["rootfi"].Auth.Entries[0].HMAC
	if h.Secrets[0] != "12345" || h.Secrets[1] != "s3cret-word" || h.Algorithm != "sha256" || h.Tolerance != 5*time.Minute {
		t.Error("hmac is not what the file says")
	}
	if l := c.Sources["rootfi"].RateLimit; l == nil || l.PerSecond != 2.5 || l.Burst != 12 {
		t.Errorf("rate_limit of the source: %+v", l)
	}
	d := c.Destinations["audit"]
	if d.RateLimit != 0.5 || d.Env["A"] != "s3cret-word" || d.Env["B"] != "007" {
		t.Errorf("rate_limit %v, env B %q", d.RateLimit, d.Env["B"])
	}
	got, err := d.SettingsJSON()
	want := `{"a/b~c":[1,{"${NUMBER}":"<&>"}],"amount":1.10,"bare":5,"big":9007199254740993,"day":"2026-01-01","hex":255,"nothing":null,"on":true,"plus":1000,"quoted":"12","short":-0.5,"substituted":"12","text":"${kept} $ {} s3cret-word","yes":"yes"}`
	if err != nil || string(got) != want {
		t.Errorf("settings: %v\ngot  %s\nwant %s", err, got, want)
	}
	if got := c.Routes[0].Companies; !reflect.DeepEqual(got, []string{"4711", "0815"}) {
		t.Errorf("companies: %q", got)
	}
}

func TestNoSettingsAreAnEmptyObject(t *testing.T) {
	got, err := parse(t, minimal).Config.Destinations["audit"].SettingsJSON()
	if err != nil || string(got) != "{}" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestWarningsAreNoErrors(t *testing.T) {
	f := parse(t, `sources: {rootfi: {type: rootfi}}`)
	var got []string
	for _, d := range f.Diagnostics {
		got = append(got, d.Path)
	}
	if want := []string{"destinations", "routes", "sources.rootfi.auth"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got warnings at %q, want %q", got, want)
	}
	if n := len(f.Diagnostics.Warnings()); n != 3 {
		t.Errorf("%d warnings", n)
	}
}

func TestFileWithErrorsIsStillUsable(t *testing.T) {
	f, err := config.Parse("x.yaml", []byte("destinations: {audit: {plugin: file, concurency: 3}}\nroutes: 5\n"), resolver)
	ds, ok := errors.AsType[config.Diagnostics](err)
	if !ok || len(ds.Errors()) != 3 {
		t.Fatalf("got %v", err)
	}
	if got := f.Config.Destinations["audit"]; got.Plugin != "file" || got.Concurrency != 4 {
		t.Errorf("got %+v", got)
	}
	d := f.Diagnose([]any{"destinations", "audit", "plugin"}, "run it", "no plugin named %q", "file")
	if got, want := d.String(), `x.yaml:1:32: destinations.audit.plugin: no plugin named "file" (run it)`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestAt(t *testing.T) {
	f := parse(t, "# first\n"+`sources:
  rootfi: {type: rootfi, auth: none}
destinations:
  audit:
    plugin: file
    config: {list: [a, b]}
routes:
  - name: all
    to: [audit]
`)
	for want, path := range map[string][]any{
		"7:24": {"destinations", "audit", "config", "list", 1},
		"7:20": {"destinations", "audit", "config", "list", 7},
		"6:5":  {"destinations", "audit", "sha256"},
		"2:1":  {"server", "listen"},
		"10:9": {"routes", 0, "to"},
	} {
		line, column := f.At(path...)
		if got := fmt.Sprintf("%d:%d", line, column); got != want {
			t.Errorf("%v: got %s, want %s", path, got, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("token", "s3cret\r\n\n")
	write("huge", strings.Repeat("x", 1<<20+1))
	absolute := write("absolute", "there\n")
	path := write("sluice.yaml", strings.Replace(minimal, "plugin: file", `plugin: file, config: {a: "${file:token}", b: "${file:`+absolute+`}"}`, 1))
	f, err := config.Load(path, lookup)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Config.Destinations["audit"].Config; got["a"] != "s3cret\r\n" || got["b"] != "there" {
		t.Errorf("got %q and %q", got["a"], got["b"])
	}
	again, err := config.Load(write("other.yaml", minimal), lookup)
	if err != nil || again.Revision == f.Revision || again.Revision == "" {
		t.Errorf("revisions %q and %q, %v", f.Revision, again.Revision, err)
	}

	for name, text := range map[string]string{
		"a directory":   "data_dir: ${file:.}",
		"no such file":  "data_dir: ${file:nothing}",
		"too large":     "data_dir: ${file:huge}",
		"large as such": strings.Repeat("# much\n", 1<<18),
	} {
		if _, err := config.Load(write("bad.yaml", text), lookup); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if f, err := config.Load(filepath.Join(dir, "missing.yaml"), lookup); f != nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestReferencesBringInABoundedAmount(t *testing.T) {
	text := "plugin_dirs: [" + strings.Repeat(`"${file:big}", `, 40) + "]\n" + minimal
	_, err := config.Parse("x.yaml", []byte(text), config.Resolver{File: func(string) (string, error) { return strings.Repeat("x", 1<<20), nil }})
	if err == nil || !strings.Contains(err.Error(), "bring in more than 16MiB") {
		t.Errorf("got %v", err)
	}
}

// A line of a megabyte with a mistake in every word must not take minutes.
func TestManyMistakesOnOneLine(t *testing.T) {
	start := time.Now()
	text := "plugin_dirs: [" + strings.Repeat(`"${X}",`, 140_000) + "]"
	if _, err := config.Parse("x.yaml", []byte(text), config.Resolver{}); len(err.(config.Diagnostics)) < 140_000 {
		t.Error("mistakes are missing")
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestDiagnosticsAsJSON(t *testing.T) {
	f, _ := config.Parse("x.yaml", []byte("colour: red\n"), resolver)
	got, err := json.Marshal(f.Diagnostics.Errors()[:1])
	want := `[{"file":"x.yaml","line":1,"column":1,"path":"colour","problem":"unknown key","hint":"known here: data_dir, defaults, destinations, dispatch, ledger, log, models, plugin_dirs, routes, server, sources, temporal, watch","severity":"error","rule":"setting","text":"colour: red","caret":1}]`
	if err != nil || string(got) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
	if got, _ := json.Marshal(config.Diagnostics(nil)); string(got) != "[]" {
		t.Errorf("no diagnostics: %s", got)
	}
	var back config.Diagnostics
	if err := json.Unmarshal([]byte(`[{"severity":"warning"},{"severity":"error"}]`), &back); err != nil || back[0].Severity != config.SeverityWarning || back[1].Severity != config.SeverityError {
		t.Errorf("read back %v, %v", back, err)
	}
}

// Whatever a variable holds, it stays the text of the one value that names it.
func TestSubstitutionNeverChangesStructure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{"", "a: b", "- x", "}, evil: [", "\"", "'", "\n  evil: 1\n", "${OTHER}", "$${X}", "}", "*a", "&a b", "!!int 1", "null", "true", "#", "1e9"}),
		).Draw(t, "value")
		form := rapid.SampledFrom([]string{`${V}`, `"${V}"`, `'${V}'`, `"a${V}b"`, "|-\n        ${V}", ">-\n        x ${V}", `"${file:v}"`, `"${NOPE:-}${V}"`}).Draw(t, "form")
		text := strings.Replace(minimal, "destinations: {audit: {plugin: file}}", `destinations:
  audit:
    plugin: file
    config:
      before: 1
      value: `+form+`
      after: [2]
    env: {E: "${V}"}`, 1)
		f, err := config.Parse("x.yaml", []byte(text), config.Resolver{
			Env:  func(name string) (string, bool) { return value, name == "V" },
			File: func(string) (string, error) { return value + "\n", nil },
		})
		if err != nil {
			t.Fatalf("%q in %s: %v", value, form, err)
		}
		want := value
		if strings.Contains(form, "a${V}b") {
			want = "a" + value + "b"
		} else if strings.HasPrefix(form, ">") {
			want = "x " + value
		} else if strings.Contains(form, "file:") {
			want = strings.TrimSuffix(value, "\r")
		}
		d := f.Config.Destinations["audit"]
		if got := d.Config; len(got) != 3 || got["value"] != want || got["before"] != json.Number("1") || !reflect.DeepEqual(got["after"], []any{json.Number("2")}) {
			t.Fatalf("%q in %s became %#v", value, form, map[string]any(got))
		}
		if len(d.Env) != 1 || d.Env["E"] != value {
			t.Fatalf("env became %q", d.Env)
		}
	})
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	examples, _ := filepath.Glob("examples/*.yaml")
	for _, name := range append(files, examples...) {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := config.Parse("x.yaml", data, resolver)
		if file == nil || file.Config == nil {
			t.Fatal("no file")
		}
		if (err != nil) != (len(file.Diagnostics.Errors()) > 0) {
			t.Fatalf("error %v but diagnostics %v", err, file.Diagnostics)
		}
		lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u0085") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
		for _, d := range file.Diagnostics {
			if d.File != "x.yaml" || d.Line < 1 || d.Line > lines+1 || d.Column < 1 || d.Problem == "" {
				t.Fatalf("a diagnostic without a place: %+v (%d lines)", d, lines)
			}
		}
		for name, d := range file.Config.Destinations {
			if _, err := d.SettingsJSON(); err != nil {
				t.Fatal(err)
			}
			file.CheckSettings(name, json.RawMessage(`{"type":"object","properties":{"path":{"type":"integer"}},"additionalProperties":false}`))
		}
		if y, err := file.RedactedYAML(); err != nil || strings.Contains(string(y), "s3cret-word") {
			t.Fatalf("%v: %s", err, y)
		}
	})
}
