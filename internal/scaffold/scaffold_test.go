package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/scaffold"
)

// What is written builds and passes everything at once.
func TestWrite(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "plugin")
	files, err := scaffold.Write(scaffold.Options{Name: "my-crm", Dir: dir, Module: "example.com/my-crm", Source: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "<no value>") || len(text) == 0 {
			t.Errorf("%s: %s", name, text)
		}
	}
	run := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run("go", "mod", "tidy")
	if out := run("gofmt", "-l", "."); out != "" {
		t.Errorf("not formatted: %s", out)
	}
	run("make", "test", "build")
	if info, err := os.Stat(filepath.Join(dir, "bin", "sluice-destination-my-crm")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the plugin: %v, %v", info, err)
	}
	// A plugin must not pull the server's dependencies.
	deps := run("go", "list", "-deps", ".")
	for _, heavy := range []string{"go.temporal.io/", "modernc.org/", "github.com/jackc/", "cel.dev/"} {
		if strings.Contains(deps, heavy) {
			t.Errorf("a plugin is built with %s", heavy)
		}
	}
	if _, err := scaffold.Write(scaffold.Options{Name: "my-crm", Dir: dir, Module: "m", Source: "../.."}); err == nil {
		t.Error("a folder that is not empty was written to")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options scaffold.Options
		want    string
	}{
		"name":       {scaffold.Options{Name: "My CRM", Source: "../.."}, "lower-case"},
		"no release": {scaffold.Options{Name: "crm", Version: "devel"}, "--sluice"},
		"no source":  {scaffold.Options{Name: "crm", Source: "."}, "not the source"},
	} {
		tt.options.Dir = filepath.Join(t.TempDir(), "plugin")
		if _, err := scaffold.Write(tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if _, err := os.Stat(tt.options.Dir); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "plugin")
	if _, err := scaffold.Write(scaffold.Options{Name: "crm", Dir: dir, Module: "example.com/crm", Version: "v1.4.0"}); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !strings.Contains(string(mod), "github.com/sluicehq/sluice v1.4.0") || strings.Contains(string(mod), "replace") {
		t.Errorf("go.mod: %s %v", mod, err)
	}
}

func TestGoVersionIsTheModules(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil || !strings.Contains(string(mod), "\ngo "+scaffold.Go+"\n") {
		t.Errorf("go.mod does not say go %s: %v", scaffold.Go, err)
	}
}

func TestFindSource(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if got := scaffold.FindSource(filepath.Join(root, "internal", "scaffold")); got != root {
		t.Errorf("found %q, want %q", got, root)
	}
	if got := scaffold.FindSource(t.TempDir()); got != "" {
		t.Errorf("found %q in a folder without", got)
	}
}
