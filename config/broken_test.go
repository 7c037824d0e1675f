package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sluicehq/sluice/config"
)

// Each file of the corpus has one mistake. What is said of it, where, and the
// line that is shown are what users see.
func TestBrokenFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d broken files, %v", len(files), err)
	}
	rules := make(map[string]int)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := config.Parse(filepath.Base(name), data, resolver)
			if len(f.Diagnostics) != 1 {
				t.Errorf("%d problems, want exactly one", len(f.Diagnostics))
			}
			for _, d := range f.Diagnostics {
				rules[d.Rule]++
			}
			got := f.Diagnostics.Report() + "\n"
			if strings.Contains(got, "s3cret") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden", got)
		})
	}
	for _, rule := range []string{
		config.RuleSyntax, config.RuleSetting, config.RuleReference, config.RuleSecret, config.RuleSource, config.RuleDestination, config.RuleRoute,
	} {
		if rules[rule] == 0 {
			t.Errorf("no file breaks the rule %s", rule)
		}
	}
}

// The SARIF log of the whole corpus is one that tools accept.
func TestSARIF(t *testing.T) {
	schema, err := os.Open("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer schema.Close()
	doc, err := jsonschema.UnmarshalJSON(schema)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sarif.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	var all config.Diagnostics
	files, _ := filepath.Glob("testdata/b*/*.yaml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := config.Parse(name, data, resolver)
		all = append(all, f.Diagnostics...)
	}
	nowhere, err := config.Diagnostics{{File: "missing.yaml", Problem: "cannot be read", Rule: config.RuleSyntax}}.SARIF("")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := jsonschema.UnmarshalJSON(bytes.NewReader(nowhere)); err != nil || compiled.Validate(v) != nil {
		t.Errorf("a problem without a line: %v, %v", err, compiled.Validate(v))
	}
	for _, ds := range []config.Diagnostics{nil, all} {
		log, err := ds.SARIF("1.2.3")
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(v); err != nil {
			t.Errorf("%v", err)
		}
		var got struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID string } }
				}
				Results []struct {
					RuleID    string
					RuleIndex int
					Level     string
					Locations []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine, StartColumn int }
						}
					}
				}
			}
		}
		if err := json.Unmarshal(log, &got); err != nil || len(got.Runs) != 1 || len(got.Runs[0].Results) != len(ds) {
			t.Fatalf("%v: %d runs", err, len(got.Runs))
		}
		for i, r := range got.Runs[0].Results {
			at := r.Locations[0].PhysicalLocation
			if r.RuleIndex < 0 || got.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != ds[i].Rule || r.RuleID != ds[i].Rule {
				t.Fatalf("result %d has rule %q (%d), want %q", i, r.RuleID, r.RuleIndex, ds[i].Rule)
			}
			if r.Level != ds[i].Severity.String() || at.ArtifactLocation.URI != ds[i].File || at.Region.StartLine != ds[i].Line || at.Region.StartColumn != ds[i].Column {
				t.Errorf("result %d is %+v, want %+v", i, r, ds[i])
			}
		}
	}
}

// FuzzParseAll tries several files at a time: never a panic, never a hang, and
// every problem is placed in one of them.
func FuzzParseAll(f *testing.F) {
	files, _ := filepath.Glob("testdata/broken/*.yaml")
	for i, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		other, err := os.ReadFile(files[(i+7)%len(files)])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, other)
	}
	f.Add([]byte(sourcesFile), []byte(targetsFile+routesFile))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		file, err := config.ParseAll("dir", []config.Part{{Name: "a", Data: one}, {Name: "b", Data: two}}, resolver)
		if (err != nil) != (file.Diagnostics.Err() != nil) {
			t.Fatalf("error %v, diagnostics %v", err, file.Diagnostics)
		}
		for _, d := range file.Diagnostics {
			lines := map[string]int{"a": bytes.Count(one, []byte("\n")), "b": bytes.Count(two, []byte("\n"))}[d.File]
			if d.File != "a" && d.File != "b" || d.Line < 1 || lines == 0 && d.Line > len(one)+len(two)+2 || d.Column < 1 || d.Rule == "" {
				t.Fatalf("a diagnostic without a place: %+v", d)
			}
		}
		if strings.Contains(file.Diagnostics.Report(), "s3cret") && !bytes.Contains(one, []byte("s3cret")) && !bytes.Contains(two, []byte("s3cret")) {
			t.Fatalf("a secret is shown:\n%s", file.Diagnostics.Report())
		}
		if _, err := file.RedactedYAML(); err != nil {
			t.Fatal(err)
		}
		if _, err := file.Diagnostics.SARIF(""); err != nil {
			t.Fatal(err)
		}
	})
}
