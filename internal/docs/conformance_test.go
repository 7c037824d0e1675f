package docs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	contract "github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
)

// recorded is what the tests of one plugin found.
type recorded struct {
	name string
	destinationtest.Recorded
}

// recordings reads those of all shipped destinations.
func recordings(t *testing.T) []recorded {
	t.Helper()
	mains, err := filepath.Glob(root + "/plugins/*/main.go")
	if err != nil || len(mains) == 0 {
		t.Fatalf("%d plugins, %v", len(mains), err)
	}
	var all []recorded
	for _, main := range mains {
		dir := filepath.Dir(main)
		all = append(all, recording(t, filepath.Base(dir), dir))
	}
	return all
}

// recording reads that of the plugin in a folder.
func recording(t *testing.T, name, dir string) recorded {
	t.Helper()
	r := recorded{name: name}
	text, err := os.ReadFile(filepath.Join(dir, "testdata", "conformance.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s has no testdata/conformance.json: record its conformance test (docs/plugins.md)", dir)
	}
	if err == nil {
		err = json.Unmarshal(text, &r.Recorded)
	}
	if err != nil || len(r.Runs) == 0 {
		t.Fatalf("%s: %d runs, %v", name, len(r.Runs), err)
	}
	return r
}

// The matrix of docs/destinations.md and the page about conformance are made from
// what the tests of the plugins recorded.
func TestConformanceIsCurrent(t *testing.T) {
	all := recordings(t)
	generated(t, "docs/destinations.md", "matrix", matrix(all))
	example := recording(t, "TypeScript example", root+"/examples/plugin-typescript")
	generated(t, "docs/conformance.md", "cases", cases(append(all, example)))
}

// generated compares what stands between two marks of a page, or writes it.
func generated(t *testing.T, path, name, want string) {
	t.Helper()
	begin, end := "<!-- generated: "+name+" -->\n", "<!-- end of "+name+" -->\n"
	file := filepath.Join(root, path)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		t.Errorf("%s has no marks %q and %q", path, begin, end)
	case have == want:
	case os.Getenv(destinationtest.EnvUpdate) == "update":
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not current: run the test with %s=update", path, destinationtest.EnvUpdate)
	}
}

// matrix is one row per plugin.
func matrix(all []recorded) string {
	var b strings.Builder
	b.WriteString("\n| plugin | takes | checks | batch | deleted records | of the cases | tested against |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range all {
		first := r.Runs[0]
		var takes, checks []string
		for _, c := range first.Capabilities {
			switch c {
			case contract.CapabilityRecords, contract.CapabilityChanges, contract.CapabilityEvents:
				takes = append(takes, string(c))
			default:
				checks = append(checks, strings.ReplaceAll(string(c), "_", " "))
			}
		}
		batch := "1000"
		if first.MaxBatchRecords > 0 {
			batch = fmt.Sprint(first.MaxBatchRecords)
		}
		var deleted []string
		for _, run := range r.Runs {
			if i := slices.IndexFunc(run.Cases, func(o conformance.Outcome) bool { return o.Case == "delete" }); i >= 0 && run.Cases[i].Note != "" {
				deleted = append(deleted, strings.TrimPrefix(run.Cases[i].Note, "the row is "))
			}
		}
		slices.Sort(deleted)
		passed, lacks := 0, 0
		for _, c := range conformance.Cases() {
			switch r.outcome(c.Name).result {
			case conformance.Passed:
				passed++
			case conformance.Lacks:
				lacks++
			}
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s | %s | %d passed, %d lacking | %s |\n", r.name, r.name, strings.Join(takes, ", "),
			strings.Join(checks, ", "), batch, strings.Join(slices.Compact(deleted), ", or "), passed, lacks, r.Against)
	}
	b.WriteString("\n")
	return b.String()
}

// verdict is a case over all runs of a plugin.
type verdict struct {
	result conformance.Result // the best of any run
	lacks  []string           // "variant: reason", or the reason if it holds for all
}

func (r recorded) outcome(name string) verdict {
	v := verdict{result: conformance.NotRun}
	variants := map[string][]string{} // by reason
	tested := false
	for _, run := range r.Runs {
		for _, o := range run.Cases {
			switch {
			case o.Case != name:
			case o.Result == conformance.Passed:
				v.result, tested = conformance.Passed, true
			case o.Result == conformance.Lacks:
				if v.result != conformance.Passed {
					v.result = conformance.Lacks
				}
				variant := strings.TrimSuffix(strings.ReplaceAll(run.Variant, "_", " "), " as a process")
				if !slices.Contains(variants[o.Note], variant) {
					variants[o.Note] = append(variants[o.Note], variant)
				}
			}
		}
	}
	for reason, which := range variants {
		if tested {
			reason = strings.Join(which, ", ") + ": " + reason
		}
		v.lacks = append(v.lacks, reason)
	}
	slices.Sort(v.lacks)
	return v
}

// cases is one table per group, with a column per plugin and the reasons below.
func cases(all []recorded) string {
	var b strings.Builder
	var groups []string
	for _, c := range conformance.Cases() {
		if !slices.Contains(groups, c.Group) {
			groups = append(groups, c.Group)
		}
	}
	for _, group := range groups {
		fmt.Fprintf(&b, "\n## %s\n\n| case |", strings.ToUpper(group[:1])+group[1:])
		for _, r := range all {
			fmt.Fprintf(&b, " %s |", r.name)
		}
		b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(all)) + "\n")
		var notes []string
		for _, c := range conformance.Cases() {
			if c.Group != group {
				continue
			}
			fmt.Fprintf(&b, "| `%s`: %s |", c.Name, c.Title)
			for _, r := range all {
				v := r.outcome(c.Name)
				cell := map[conformance.Result]string{conformance.Passed: "✓", conformance.Lacks: "no", conformance.NotRun: ""}[v.result]
				if len(v.lacks) > 0 {
					cell += " ¹"
					for _, reason := range v.lacks {
						notes = append(notes, fmt.Sprintf("- `%s`, %s: %s.\n", c.Name, r.name, strings.TrimSuffix(reason, ".")))
					}
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			b.WriteString("\n")
		}
		if len(notes) > 0 {
			b.WriteString("\n¹ What is lacking, and why:\n\n" + strings.Join(notes, ""))
		}
	}
	b.WriteString("\n")
	return b.String()
}
