package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
)

// files makes a directory with these files.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	sourcesFile = "sources: {rootfi: {type: rootfi, auth: none}}\nserver: {listen: \"127.0.0.1:1\"}\n"
	routesFile  = "routes:\n  - {name: first, models: [INVOICES], to: [audit]}\n"
	targetsFile = "destinations:\n  audit: {plugin: file, config: {path: x}}\n"
)

func TestADirectoryIsOneConfiguration(t *testing.T) {
	dir := files(t, map[string]string{
		"10-sources.yaml": sourcesFile, "20-targets.yml": targetsFile, "30-routes.yaml": routesFile,
		"40-more.yaml":  "server: {admin: \"127.0.0.1:2\"}\ndestinations: {crm: {plugin: webhook}}\nroutes: [{name: second, to: [crm]}]\n",
		"50-later.yaml": "# nothing yet\n", ".hidden.yaml": "broken: [", "notes.txt": "broken: [", "routes.test.yaml": "tests: [",
	})
	f, err := config.Load(dir, lookup)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Config
	if len(f.Diagnostics) > 0 || c.Server.Listen != "127.0.0.1:1" || c.Server.Admin != "127.0.0.1:2" || len(c.Destinations) != 2 ||
		len(c.Routes) != 2 || c.Routes[0].Name != "first" || c.Routes[1].Name != "second" {
		t.Errorf("%v\n%+v", f.Diagnostics, c)
	}
	if place, exact := f.Place("routes", 1, "to"); !exact || place != filepath.Join(dir, "40-more.yaml")+":3" {
		t.Errorf("the second route is at %s", place)
	}
	before := f.Revision
	if err := os.WriteFile(filepath.Join(dir, "50-later.yaml"), []byte("# still nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = config.Load(dir, lookup); err != nil || f.Revision == before {
		t.Errorf("an edit of one file leaves the revision %s, %v", f.Revision, err)
	}
}

func TestWhatTwoFilesSayNamesBothPlaces(t *testing.T) {
	for name, test := range map[string]struct{ second, want string }{
		"destination":      {"\ndestinations: {audit: {plugin: sqlite}}\n", `b.yaml:2:16: destinations.audit: is already set at a.yaml:4 (keep one of them)`},
		"source":           {"sources: {rootfi: {type: rootfi, auth: none}}\n", `b.yaml:1:11: sources.rootfi: is already set at a.yaml:1 (keep one of them)`},
		"setting":          {"server: {listen: \"127.0.0.1:9\"}\n", `b.yaml:1:10: server.listen: is already set at a.yaml:2 (keep one of them)`},
		"route":            {"routes: [{name: first, to: [audit]}]\n", `b.yaml:1:17: routes[1].name: "first" is already used at a.yaml:6 (give each route a name of its own)`},
		"unknown key":      {"colour: 1\n", `b.yaml:1:1: colour: unknown key`},
		"in the same file": {"log: {level: info, level: warn}\n", `b.yaml:1:20: log.level: is already set at line 1 (keep one of them)`},
		"syntax":           {"a: 1\nb: [\n", `b.yaml:2:1: YAML: did not find expected node content`},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.ParseAll("dir", []config.Part{
				{Name: "a.yaml", Data: []byte(sourcesFile + targetsFile + routesFile)}, {Name: "b.yaml", Data: []byte(test.second)},
			}, resolver)
			if err == nil || !strings.HasPrefix(f.Diagnostics.Errors()[0].String(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestEmptyDirectory(t *testing.T) {
	if f, err := config.Load(files(t, map[string]string{"readme": ""}), lookup); f != nil || err == nil || !strings.Contains(err.Error(), "no configuration files") {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestProgramsRunOnlyWhenAllowed(t *testing.T) {
	dir := files(t, map[string]string{
		"ok": "#!/bin/sh\necho s3cret-$1\necho run >> runs\n", "bad": "#!/bin/sh\necho s3cret-out\necho s3cret-err >&2\nexit 3\n",
		"much": "#!/bin/sh\nhead -c 100000 /dev/zero\n",
	})
	for _, name := range []string{"ok", "bad", "much"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	load := func(command string, allow bool) (*config.File, error) {
		path := filepath.Join(dir, "sluice.yaml")
		text := strings.Replace(minimal, "plugin: file", `plugin: file, config: {a: "${exec:`+command+`}", b: "x ${exec:`+command+`}"}`, 1)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.Loader{Env: lookup, AllowExec: allow}.Load(path)
	}
	f, err := load("./ok word", true)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Config.Destinations["audit"].Config; got["a"] != "s3cret-word" || got["b"] != "x s3cret-word" {
		t.Errorf("got %v", map[string]any(got))
	}
	if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); string(runs) != "run\n" {
		t.Errorf("the program ran %q", runs)
	}
	if y, err := f.RedactedYAML(); err != nil || strings.Contains(string(y), "s3cret") {
		t.Errorf("printed: %s, %v", y, err)
	}
	for command, want := range map[string]string{
		"./bad": "ended with exit status 3", "./much": "printed more than 64KiB", "./missing": "no such file", "no-such-program-": "no such program",
	} {
		if _, err := load(command, true); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %s", command, err, want)
		}
	}
	if _, err := load("./ok again", false); err == nil || !strings.Contains(err.Error(), "--allow-exec") {
		t.Errorf("not allowed: %v", err)
	}
	if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); strings.Count(string(runs), "run") != 1 {
		t.Errorf("ran without being allowed: %q", runs)
	}
}

func TestAgainReadsOnlyWhatReferencesName(t *testing.T) {
	dir := files(t, map[string]string{"key": "one\n", "sluice.yaml": strings.Replace(minimal, "plugin: file", `plugin: file, config: {a: "${file:key}"}`, 1)})
	l := config.Loader{Env: lookup}
	f, err := l.Load(filepath.Join(dir, "sluice.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"key": "two\n", "sluice.yaml": "broken: ["} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := l.Again(f)
	if err != nil || again.Config.Destinations["audit"].Config["a"] != "two" || again.Revision != f.Revision {
		t.Errorf("got %v, %v", again.Config.Destinations["audit"].Config, err)
	}
	if files, referenced := f.Stamps(); true {
		nowFiles, nowReferenced := f.StampsNow()
		if files == nowFiles || referenced == nowReferenced {
			t.Error("the changes do not show")
		}
	}
}

// No secret may come out with the line that a problem is on, whatever form it has.
func TestLinesOfProblemsHideSecrets(t *testing.T) {
	for name, text := range map[string]string{
		"flow":            "sources: {a: {type: rootfi, auth: [{header: {name: x, value: s3cret, colour: red}}]}}",
		"quoted":          "sources: {a: {type: rootfi, auth: [{header: {name: x, value: \"s3cret \\\" s3cret\", colour: red}}]}}",
		"single quotes":   "sources: {a: {type: rootfi, auth: [{header: {name: x, value: 's3cret ''s3cret', colour: red}}]}}",
		"type":            "server: {admin_token: [s3cret]}",
		"misspelled":      "server: {admin_tokn: s3cret}",
		"plain lines":     "server:\n  admin_token: one\n    s3cret\n  colour: red",
		"quoted lines":    "server:\n  admin_token: \"one\n    s3cret\"\n  colour: red",
		"block":           "server:\n  admin_token: |\n    s3cret\n    s3cret\n  colour: red",
		"list":            "sources: {a: {type: rootfi, auth: [{hmac: {header: X, secrets: [s3cret, [s3cret]]}}]}}",
		"url":             "destinations: {a: {plugin: p, url: \"postgres://u:s3cret@h/d\"}}",
		"connection":      "destinations: {a: {plugin: p, config: {x: \"host=h password=s3cret\"}, colour: red}}",
		"environment":     "destinations: {a: {plugin: p, env: {TZ: s3cret}, colour: red}}",
		"default":         "server: {admin_token: \"${NOPE:-s3cret}\", colour: red}",
		"syntax":          "server:\n  admin_token: s3cret: s3cret\n",
		"syntax in list":  "sources:\n  a:\n    auth:\n      - hmac:\n          secrets:\n            - \"s3cret\n",
		"syntax in block": "server:\n  admin_token: |\n    s3cret\n   s3cret\n\tx: s3cret",
		"syntax in flow":  "server: {admin_token: s3cret",
		"character":       "server: {admin_token: \"s3cret\x01\"}",
	} {
		t.Run(name, func(t *testing.T) {
			f, err := config.Parse("x.yaml", []byte(text), resolver)
			if err == nil {
				t.Fatal("no error")
			}
			sarif, err := f.Diagnostics.SARIF("test")
			if shown := f.Diagnostics.Report() + string(sarif); err != nil || strings.Contains(shown, "s3cret") {
				t.Errorf("%v: shown:\n%s", err, shown)
			}
		})
	}
}

func TestLiteralSecretsAreWarnings(t *testing.T) {
	f, err := config.Parse("x.yaml", []byte(`
server: {admin_token: s3cret}
sources: {a: {type: rootfi, auth: [{basic: {username: u, password: s3cret}}]}, b: {type: rootfi, auth: [{basic: {username: u, password: "${WORD}"}}]}}
destinations:
  d:
    plugin: p
    config: {url: "https://u:s3cret@h/", api_key: s3cret, path: plain, nested: {token: "${WORD}", secrets: [s3cret]}}
    env: {TZ: UTC, API_TOKEN: s3cret}
routes: [{name: all, to: [d]}]
`), resolver)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range f.Diagnostics {
		if d.Rule == config.RuleSecret {
			got = append(got, d.Path)
		}
	}
	want := "[server.admin_token sources.a.auth[0].basic.password destinations.d.config.url destinations.d.config.api_key destinations.d.config.nested.secrets[0] destinations.d.env.API_TOKEN]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func TestExcerpt(t *testing.T) {
	f, _ := config.Parse("x.yaml", []byte("server:\n\n  lissten: \"127.0.0.1:1\"\n"), resolver)
	want := `x.yaml:3:3: server.lissten: unknown key (did you mean listen?)
  3 |   lissten: "127.0.0.1:1"
    |   ^`
	if got := f.Diagnostics.Errors().Report(); !strings.HasPrefix(got, want) && !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	long := "plugin_dirs: [" + strings.Repeat("aaaaaaaaa, ", 50) + "{}, " + strings.Repeat("b, ", 50) + "]"
	f, _ = config.Parse("x.yaml", []byte(long), resolver)
	var d config.Diagnostic
	for _, problem := range f.Diagnostics {
		if problem.Path == "plugin_dirs[50]" {
			d = problem
		}
	}
	if text := []rune(d.Text); len(text) > 150 || len(text) == 0 || text[d.Caret-1] != '{' {
		t.Errorf("column %d of %q", d.Caret, d.Text)
	}
}
