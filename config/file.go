package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
)

// File is a configuration, of one file or several, with the places of everything
// in it. A File that came with errors still holds what could be understood, so
// that callers can add what only they can check and show all problems at once:
//
//	f, err := config.Load(path, os.LookupEnv)
//	if f == nil {
//		return err // not readable
//	}
//	problems := f.Diagnostics
//	problems = append(problems, f.Diagnose([]any{"destinations", name, "plugin"}, …))
//	problems = append(problems, f.CheckSettings(name, schema)...)
//	problems.Sort()
//	return problems.Err()
type File struct {
	Name        string  // as given to Load or Parse
	Revision    string  // identifies the content of all files; changes with every edit
	Config      *Config // never nil
	Diagnostics Diagnostics

	report     *report
	parts      []Part
	referenced []string // files that ${file:…} named
	// The fingerprints of the files and of those referenced, taken before they
	// were read.
	filesStamp, referencedStamp string
}

// Part is one file of a configuration.
type Part struct {
	Name string
	Data []byte
}

// Parse reads a configuration of one file. It is pure: what references name
// comes from resolve. name stands for the file in diagnostics. The File is never
// nil; the error is as with [Load].
func Parse(name string, data []byte, resolve Resolver) (*File, error) {
	return parse(name, []Part{{name, data}}, false, resolve)
}

// ParseAll reads a configuration of several files, in the order given. What one
// file says of sources, destinations and routes is added to what those before it
// say; a name or a setting that two files give is an error.
func ParseAll(name string, parts []Part, resolve Resolver) (*File, error) {
	return parse(name, parts, true, resolve)
}

func parse(name string, parts []Part, several bool, resolve Resolver) (*File, error) {
	r := newReport()
	r.several = several
	for _, p := range parts {
		r.texts.add(p.Name, []byte(strings.TrimPrefix(string(p.Data), "\ufeff")))
	}
	f := &File{Name: name, Revision: revision(parts, several), Config: new(Config), report: r, parts: parts}
	d := &decoder{
		substituter: substituter{report: r, resolve: resolve, lines: newLineIndex(r.texts)},
		known:       make(map[reflect.Type][]field),
	}
	v := reflect.ValueOf(f.Config).Elem()
	d.setDefaults(v)
	r.rule = RuleSyntax
	understood := false
	for i := range r.texts.files {
		t := &r.texts.files[i]
		if root := r.document(t); root != nil {
			understood, t.understood = true, true
			d.join(r.root, root, d.fields(v.Type()), nil)
		} else if several && len(r.list) == 0 {
			t.understood = true // nothing but comments
		}
	}
	if understood {
		r.rule = RuleSetting
		d.structure(r.root, nil, v, field{})
		r.check(f.Config)
		r.checkSecrets()
	}
	r.finish()
	r.rule = RulePlugin // of what others add
	f.Diagnostics = r.list
	return f, f.Diagnostics.Err()
}

// Decode reads a YAML file of another kind into a struct whose fields have the
// tags of this package, as strictly as a configuration. References are refused.
func Decode(name string, data []byte, into any) Diagnostics {
	r := newReport()
	t := r.texts.add(name, []byte(strings.TrimPrefix(string(data), "\ufeff")))
	d := &decoder{
		substituter: substituter{report: r, lines: newLineIndex(r.texts)},
		known:       make(map[reflect.Type][]field),
	}
	v := reflect.ValueOf(into).Elem()
	d.setDefaults(v)
	r.rule = RuleSyntax
	if root := r.document(t); root != nil {
		t.understood = true
		r.root, r.rule = root, RuleSetting
		d.structure(root, nil, v, field{})
	}
	r.finish()
	return r.list
}

func revision(parts []Part, several bool) string {
	h := sha256.New()
	for _, p := range parts {
		if several {
			fmt.Fprintf(h, "%s\n%d\n", p.Name, len(p.Data))
		}
		h.Write(p.Data)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// At returns the place of the value at path (keys and indexes), or of the
// nearest thing above it that the file has.
func (f *File) At(path ...any) (line, column int) {
	d := f.Diagnose(path, "", "")
	return d.Line, d.Column
}

// Place is At as file:line, and whether the files have the value at all.
func (f *File) Place(path ...any) (place string, exact bool) {
	n, _, exact := locate(f.report.root, path)
	file, line := f.report.texts.find(n.Line)
	return fmt.Sprintf("%s:%d", file.name, line), exact
}

// Diagnose makes an error of something that only the caller can know about the
// value at path, with its place. The arguments must hold no secret.
func (f *File) Diagnose(path []any, hint, format string, args ...any) Diagnostic {
	n, _, _ := locate(f.report.root, path)
	return f.diagnoseAt(n.Line, n.Column, path, hint, fmt.Sprintf(format, args...))
}

func (f *File) diagnoseAt(line, column int, path []any, hint, problem string) Diagnostic {
	d := f.report.diagnostic(line, column, path, hint, problem)
	d.Text, d.Caret = f.report.shown(line, d.Column)
	return d
}

// Known reports whether everything below path could be read: no reference there
// was left unknown.
func (f *File) Known(path ...any) bool {
	prefix := identity(path)
	for at := range f.report.broken {
		if at == prefix || strings.HasPrefix(at, prefix+"\x00") {
			return false
		}
	}
	return true
}
