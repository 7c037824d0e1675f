// Package scaffold writes a new plugin: a module of its own with a destination
// that works, its tests, a conformance run, and what is around it.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed files
var files embed.FS

// names are where the templates go.
var names = map[string]string{
	"go.mod.tmpl":              "go.mod",
	"main.go.tmpl":             "main.go",
	"settings.go.tmpl":         "settings.go",
	"plugin.go.tmpl":           "plugin.go",
	"client.go.tmpl":           "client.go",
	"plugin_test.go.tmpl":      "plugin_test.go",
	"conformance_test.go.tmpl": "conformance_test.go",
	"conformance.yaml.tmpl":    "conformance.yaml",
	"sluice.yaml.tmpl":         "sluice.yaml",
	"Makefile.tmpl":            "Makefile",
	"README.md.tmpl":           "README.md",
	"ci.yaml.tmpl":             ".github/workflows/test.yaml",
	"gitignore.tmpl":           ".gitignore",
}

// Module is what every plugin is built with.
const Module = "github.com/sluicehq/sluice"

// Go is the version of Go that the module needs.
const Go = "1.26.8"

// unpublished is the version that a module has which is replaced by a folder.
const unpublished = "v0.0.0"

// Options say what to write.
type Options struct {
	Name   string // of the plugin, as in configurations
	Dir    string // must not exist, or be empty
	Module string // path of the new module
	// Source is a folder with Sluice's source, in the place of a release; Version
	// is the release.
	Source, Version string
}

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// release matches the versions that a module can be required in.
var release = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// Write writes the plugin. It returns the files, by their path in Dir.
func Write(o Options) ([]string, error) {
	if !validName.MatchString(o.Name) {
		return nil, fmt.Errorf("the name %q must be a lower-case letter, then at most 31 lower-case letters, digits and -", o.Name)
	}
	values := map[string]string{"Name": o.Name, "Module": o.Module, "Go": Go, "Version": o.Version}
	if o.Source != "" {
		if !IsSource(o.Source) {
			return nil, fmt.Errorf("%s is not the source of Sluice: its go.mod is not that of %s", o.Source, Module)
		}
		source, err := filepath.Abs(o.Source)
		if err != nil {
			return nil, err
		}
		values["Version"], values["Replace"] = unpublished, source
	} else if !release.MatchString(o.Version) {
		return nil, fmt.Errorf("this Sluice (%s) is no release that a module can require: name a folder with its source with --sluice", o.Version)
	}
	if entries, err := os.ReadDir(o.Dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty: name another folder with --dir", o.Dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var written []string
	for _, from := range slices.Sorted(maps.Keys(names)) {
		text, err := files.ReadFile("files/" + from)
		if err != nil {
			return nil, err
		}
		t, err := template.New(from).Option("missingkey=zero").Parse(string(text))
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		if err := t.Execute(&out, values); err != nil {
			return nil, err
		}
		to := filepath.Join(o.Dir, filepath.FromSlash(names[from]))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
			return nil, err
		}
		written = append(written, names[from])
	}
	slices.Sort(written)
	return written, nil
}

// IsSource reports whether the folder has Sluice's source.
func IsSource(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	first, _, _ := strings.Cut(string(text), "\n")
	return err == nil && strings.TrimSpace(first) == "module "+Module
}

// FindSource looks for the source in the folder and those above it. It is empty
// if there is none.
func FindSource(dir string) string {
	for {
		if IsSource(dir) {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}
