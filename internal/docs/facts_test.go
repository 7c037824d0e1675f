package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	metric    = regexp.MustCompile(`(?:Name: +|NewDesc\()"(sluice_[a-z_]+)"`)
	attribute = regexp.MustCompile(`"(Sluice[A-Z][A-Za-z]+)"`)
	reason    = regexp.MustCompile(`code: "([a-z_]+)"`)
	target    = regexp.MustCompile(`(?m)^([a-z-]+):.*## `)
)

func TestMetricsAreListed(t *testing.T) {
	same(t, "metrics of docs/operating.md",
		firstColumn(sections(pageAt(t, "docs/operating.md").text)["Metrics"]),
		found(metric, source(t, "internal")+source(t, "activities")+source(t, "plugins/host")))
}

func TestSearchAttributesAreListed(t *testing.T) {
	same(t, "search attributes of docs/operating.md",
		found(regexp.MustCompile("(?m)^\\| `(Sluice[A-Za-z]+)`"), sections(pageAt(t, "docs/operating.md").text)["The Temporal UI"]),
		found(attribute, source(t, "workflows")))
}

func TestAnswersAreListed(t *testing.T) {
	text := sections(pageAt(t, "docs/rootfi.md").text)["Answers and time"]
	for _, code := range found(reason, source(t, "internal/endpoint")) {
		if !strings.Contains(text, "`"+code+"`") {
			t.Errorf("docs/rootfi.md: the answer %q is missing", code)
		}
	}
}

func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	known := found(target, string(makefile))
	for _, p := range pages(t) {
		for _, name := range found(regexp.MustCompile("`make ([a-z-]+)[^`]*`"), p.prose) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: there is no make %s", p.path, name)
			}
		}
	}
}

func TestExamplePluginIsTheOneThatIsTested(t *testing.T) {
	want, err := os.ReadFile(root + "/examples/plugin-hello/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range pageAt(t, "docs/plugins.md").blocks {
		if b.language == "go" && strings.Contains(b.text, "package main") {
			if b.text != string(want) {
				t.Error("docs/plugins.md shows another program than examples/plugin-hello/main.go: copy that one")
			}
			return
		}
	}
	t.Error("docs/plugins.md does not show the example")
}

// Authors in other languages have no code of ours that tells them these.
func TestProtocolIsDescribed(t *testing.T) {
	page := pageAt(t, "docs/protocol.md").text
	handshake := source(t, "plugins/internal/wire")
	facts := found(regexp.MustCompile(`"(SLUICE_[A-Z_]+|[0-9a-f-]{36})"`), handshake)
	facts = append(facts, found(regexp.MustCompile(`"(PATH|TMPDIR|TZ|LANG|LC_ALL|SSL_CERT_[A-Z]+)"`), source(t, "plugins/host"))...)
	if m := regexp.MustCompile(`MaxMessageBytes = (\d+) << 20`).FindStringSubmatch(handshake); m != nil {
		facts = append(facts, m[1]+" MiB")
	} else {
		t.Error("the limit of messages is not found")
	}
	if len(facts) < 10 {
		t.Errorf("only %d facts: %v", len(facts), facts)
	}
	for _, fact := range facts {
		if !strings.Contains(page, fact) {
			t.Errorf("docs/protocol.md does not say %s", fact)
		}
	}
}

func TestDecisionsAreListed(t *testing.T) {
	files, err := filepath.Glob(root + "/docs/decisions/0*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	list := pageAt(t, "docs/decisions/README.md").text
	for _, name := range files {
		if !strings.Contains(list, "("+filepath.Base(name)+")") {
			t.Errorf("docs/decisions/README.md does not list %s", filepath.Base(name))
		}
	}
}

// found lists what the first group of the expression matches, sorted, once each.
func found(e *regexp.Regexp, text string) []string {
	var out []string
	for _, m := range e.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: the code has none", what)
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s: %s is missing", what, name)
		}
	}
	for _, name := range got {
		if !slices.Contains(want, name) {
			t.Errorf("%s: the code has no %s", what, name)
		}
	}
}
