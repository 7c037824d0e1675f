package config_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
)

var update = flag.Bool("update", false, "rewrite golden and generated files")

// env is what references find in these tests.
var env = map[string]string{
	"HUBSPOT_TOKEN":      "t0ken-hubspot",
	"ROOTFI_WEBHOOK_KEY": "s3cret-key",
	"ROOTFI_PASSWORD":    "s3cret-password",
	"WAREHOUSE_URL":      "postgres://sluice:s3cret@db.example/warehouse",
	"LEDGER_URL":         "postgres://sluice:s3cret@db.example/ledger",
	"SIGNING_SECRET":     "s3cret-signing",
	"CRM_SYNC_URL":       "https://crm.example/hook",
	"CRM_SYNC_SECRET":    "whsec_c2VjcmV0",
	"SLACK_WEBHOOK_URL":  "https://hooks.example/services/T/B/x",
	"EMPTY":              "",
	"NUMBER":             "12",
	"WORD":               "s3cret-word",
	"YAML":               "}, evil: [1",
}

func lookup(name string) (string, bool) {
	v, ok := env[name]
	return v, ok
}

var resolver = config.Resolver{
	Env: lookup,
	File: func(path string) (string, error) {
		if path == "secret.txt" {
			return "s3cret-file\n", nil
		}
		return "", fs.ErrNotExist
	},
}

// parse reads a configuration that must be good, and returns it.
func parse(t *testing.T, text string) *config.File {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte(text), resolver)
	if err != nil {
		t.Fatalf("unexpected problems:\n%v", err)
	}
	return f
}

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d bad files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			f, err := config.Parse(filepath.Base(name), data, resolver)
			if err == nil {
				t.Error("no error")
			}
			got := f.Diagnostics.Error() + "\n"
			if strings.Contains(got, "s3cret") {
				t.Errorf("a secret is quoted:\n%s", got)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden", got)
		})
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s\n(go test ./config -update rewrites it)", name, got, want)
	}
}

// examples are the configurations of one file among the examples.
func examples(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("examples/*.yaml")
	files = slices.DeleteFunc(files, func(name string) bool { return !config.IsConfigName(filepath.Base(name)) })
	if err != nil || len(files) < 4 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	return files
}

func TestExampleDirectoryLoads(t *testing.T) {
	f, err := config.Load("examples/tenants", func(string) (string, bool) { return "postgres://h/d", true })
	if err != nil || len(f.Diagnostics) > 0 {
		t.Errorf("%v\n%v", err, f.Diagnostics)
	}
}

func TestExamplesLoad(t *testing.T) {
	files := examples(t)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			dir := t.TempDir()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, filepath.Base(name))
			if err := errors.Join(
				os.WriteFile(path, data, 0o600),
				os.WriteFile(filepath.Join(dir, "admin-token.txt"), []byte("s3cret-token\r\n"), 0o600),
			); err != nil {
				t.Fatal(err)
			}
			f, err := config.Load(path, lookup)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Diagnostics) > 0 {
				t.Errorf("warnings:\n%v", f.Diagnostics)
			}
			for name, d := range f.Config.Destinations {
				if _, err := d.SettingsJSON(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if f.Config.Server.AdminToken != "" && f.Config.Server.AdminToken != "s3cret-token" {
				t.Errorf("admin token %q", f.Config.Server.AdminToken)
			}
			if printed := fmt.Sprintf("%v %+v %#v", *f.Config, f.Config, f.Config); strings.Contains(printed, "s3cret") {
				t.Errorf("a secret is printed: %s", printed)
			}
		})
	}
}
