package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// File is a configuration with the places of everything in it. A File that came
// with errors still holds what could be understood, so that callers can add what
// only they can check and show all problems at once:
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
	Revision    string  // identifies the content; changes with every edit
	Config      *Config // never nil
	Diagnostics Diagnostics

	report *report
}

// Load reads the configuration file at path. env looks up variables, as
// os.LookupEnv does. The error holds every problem of the file as [Diagnostics];
// the File is nil only when the file cannot be read. Warnings are in
// File.Diagnostics and are no error.
func Load(path string, env func(string) (string, bool)) (*File, error) {
	data, err := readLimited(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %s: %w", path, cause(err))
	}
	dir := filepath.Dir(path)
	return Parse(path, data, Resolver{
		Env: env,
		File: func(name string) (string, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			b, err := readLimited(name)
			if err == nil && len(b) > maxBytes {
				err = fmt.Errorf("it is larger than %s", formatSize(maxBytes))
			}
			return string(b), cause(err)
		},
	})
}

// readLimited reads a file, one byte past the limit at most.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

// cause leaves out the path of a file error: messages name the file already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// Parse reads a configuration. It is pure: what references name comes from
// resolve. name stands for the file in diagnostics. The File is never nil; the
// error is as with [Load].
func Parse(name string, data []byte, resolve Resolver) (*File, error) {
	sum := sha256.Sum256(data)
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	r := newReport(name)
	d := &decoder{
		substituter: substituter{report: r, resolve: resolve, lines: newLineIndex(string(data))},
		known:       make(map[reflect.Type][]field),
	}
	f := &File{Name: name, Revision: hex.EncodeToString(sum[:6]), Config: new(Config), report: r}
	v := reflect.ValueOf(f.Config).Elem()
	d.setDefaults(v)
	if root := r.document(data); root != nil {
		r.root = root
		d.structure(root, nil, v, field{})
		r.check(f.Config)
	}
	r.list.Sort()
	f.Diagnostics = r.list
	return f, f.Diagnostics.Err()
}

// At returns the place of the value at path (keys and indexes), or of the
// nearest thing above it that the file has.
func (f *File) At(path ...any) (line, column int) {
	n, _, _ := locate(f.report.root, path)
	return max(n.Line, 1), max(n.Column, 1)
}

// Diagnose makes an error of something that only the caller can know about the
// value at path, with its place. The arguments must hold no secret.
func (f *File) Diagnose(path []any, hint, format string, args ...any) Diagnostic {
	line, column := f.At(path...)
	return Diagnostic{
		File: f.Name, Line: line, Column: column,
		Path: render(path), Problem: fmt.Sprintf(format, args...), Hint: hint,
	}
}
