package docs

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// plugins are those that the documentation speaks of, with their packages.
func plugins(t *testing.T) map[string]string {
	t.Helper()
	mains, err := filepath.Glob(root + "/plugins/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("%d plugins, %v", len(mains), err)
	}
	out := map[string]string{"hello": "examples/plugin-hello"}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		out[name] = "plugins/" + name
	}
	return out
}

func TestSettings(t *testing.T) {
	schemas := make(map[string]json.RawMessage)
	plugins := plugins(t)
	for name, dir := range plugins {
		var binary string
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			binary = hosttest.BuildModule(t, filepath.Join(root, dir), name)
		} else {
			binary = hosttest.Build(t, "github.com/sluicehq/sluice/"+dir, name)
		}
		d, err := host.Inspect(t.Context(), binary)
		if err != nil {
			t.Fatal(err)
		}
		schemas[name] = d.ConfigSchema
	}
	schemas["journal"] = journalSchema(t)
	t.Run("tables have every setting", func(t *testing.T) {
		overview := sections(pageAt(t, "docs/destinations.md").text)
		for name, dir := range plugins {
			if name == "hello" {
				continue
			}
			want := properties(t, schemas[name])
			if got := firstColumn(overview[name]); !slices.Equal(got, want) {
				t.Errorf("docs/destinations.md: the settings of %s are %v, want %v", name, got, want)
			}
			if got := firstColumn(sections(pageAt(t, dir+"/README.md").text)["Settings"]); !slices.Equal(got, want) {
				t.Errorf("%s/README.md: the settings are %v, want %v", dir, got, want)
			}
		}
	})
	t.Run("the example in TypeScript has every setting", func(t *testing.T) {
		readme := sections(pageAt(t, "examples/plugin-typescript/README.md").text)
		if got, want := firstColumn(readme["Settings"]), properties(t, schemas["journal"]); !slices.Equal(got, want) {
			t.Errorf("the settings are %v, want %v", got, want)
		}
	})
	t.Run("YAML is a configuration", func(t *testing.T) {
		blocks := 0
		for _, p := range pages(t) {
			for _, b := range p.blocks {
				if b.language == "yaml" && topLevel.MatchString(b.text) {
					blocks++
					check(t, fmt.Sprintf("%s:%d", p.path, b.line), complete(b.text), schemas)
				}
			}
		}
		if blocks == 0 {
			t.Error("there is none")
		}
	})
	t.Run("examples are configurations", func(t *testing.T) {
		files, err := filepath.Glob(root + "/config/examples/*.yaml")
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, name := range files {
			if !config.IsConfigName(filepath.Base(name)) {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			check(t, name, string(text), schemas)
		}
	})
}

// journalSchema asks the plugin in TypeScript.
func journalSchema(t *testing.T) json.RawMessage {
	t.Helper()
	file := filepath.Join(t.TempDir(), host.Prefix+"journal")
	c := exec.CommandContext(t.Context(), "node", "scripts/bundle.mjs", "--out", file)
	c.Dir = root + "/examples/plugin-typescript"
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the plugin in TypeScript: %v: run make test-deps\n%s", err, out)
	}
	d, err := host.Inspect(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return d.ConfigSchema
}

func check(t *testing.T, place, text string, schemas map[string]json.RawMessage) {
	t.Helper()
	f, err := config.Parse(place, []byte(text), config.Resolver{
		Env: func(name string) (string, bool) {
			if strings.HasSuffix(name, "_ADDRESS") {
				return "example.com:7233", true
			}
			return "value", true
		},
		File: func(string) (string, error) { return "value", nil },
	})
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	for name, d := range f.Config.Destinations {
		schema, ok := schemas[d.Plugin]
		if !ok {
			t.Errorf("%s: there is no plugin %q", place, d.Plugin)
			continue
		}
		if err := f.CheckSettings(name, schema).Err(); err != nil {
			t.Errorf("%v", err)
		}
	}
}

var (
	topLevel    = regexp.MustCompile(`(?m)^[a-z_]+:`)
	destination = regexp.MustCompile(`(?m)^destinations:\n(?: *#.*\n)*  ([a-z][a-z0-9_-]*):`)
)

// complete adds the parts that an excerpt leaves out, so that the rest is judged
// as in a whole file.
func complete(text string) string {
	if !strings.HasPrefix(text, "\n") {
		text = "\n" + text
	}
	if !strings.Contains(text, "\nsources:") {
		text += "\nsources: {rootfi: {type: rootfi, auth: none}}\n"
	}
	to := "warehouse"
	if m := destination.FindStringSubmatch(text); m != nil {
		to = m[1]
	}
	if !strings.Contains(text, "\ndestinations:") {
		text += "\ndestinations: {warehouse: {plugin: sqlite, config: {path: ./w.db}}, audit: {plugin: file, config: {path: ./a}}}\n"
	}
	if !strings.Contains(text, "\nroutes:") {
		text += "\nroutes: [{name: all, to: [" + to + "]}]\n"
	}
	return text[1:]
}

// sections cuts a page at its second-level headings.
func sections(text string) map[string]string {
	out := make(map[string]string)
	for _, part := range strings.Split(text, "\n## ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		out[strings.TrimSpace(title)] = body
	}
	return out
}

var rowName = regexp.MustCompile("(?m)^\\| `([a-z_]+)`")

// firstColumn lists the names in the first column of tables, sorted.
func firstColumn(text string) []string {
	var out []string
	for _, m := range rowName.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return out
}

func properties(t *testing.T, schema json.RawMessage) []string {
	t.Helper()
	var s struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(s.Properties))
}
