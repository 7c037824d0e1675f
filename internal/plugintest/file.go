// Package plugintest is `sluice plugins test`: it runs the conformance cases over
// a plugin's binary, in whatever language that was written, as a configuration
// file says. The file has the plugin's settings and, where the author can give
// them, a way to read back what the destination holds and ways to make the system
// behind it misbehave. What is not given is reported as not seen or not run.
package plugintest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"gopkg.in/yaml.v3"

	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

// File is what a configuration file says. In its texts {place} stands for a word
// that is new for each case, {dir} for a new empty directory, {object} for the
// object that is read, and ${NAME} for a variable of the environment.
type File struct {
	// Config are the plugin's settings.
	Config map[string]any `yaml:"config"`
	// Env are further variables of the plugin's environment.
	Env map[string]string `yaml:"env"`
	// Reset runs before each case, for a place that cannot be another each time.
	Reset *Action `yaml:"reset"`
	// Read says how to see what the destination holds.
	Read *Read `yaml:"read"`
	// WrongCredentials are settings to put in the place of those in Config.
	WrongCredentials map[string]any `yaml:"wrong_credentials"`
	// Faults say how to make the system behind the destination misbehave; "none"
	// ends it.
	Faults map[conformance.FaultKind]Action `yaml:"faults"`
	// Lacks gives a reason for each case that the destination cannot pass.
	Lacks map[string]string `yaml:"lacks"`

	dir string // of the file: where commands run and relative paths begin
}

// Action is something to do: a command to run or a request to make.
type Action struct {
	Command []string `yaml:"command"`
	HTTP    *Request `yaml:"http"`
}

// Request is an HTTP request. The method is GET, or POST with a body.
type Request struct {
	Method  string            `yaml:"method"`
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
}

// Read is a way to see rows: exactly one of Command, HTTP, SQL and Files. Rows
// are JSON objects, in a list or one after the other.
type Read struct {
	Action `yaml:",inline"`
	SQL    *SQL     `yaml:"sql"`
	Files  []string `yaml:"files"`
	// Unfold names members whose own members belong to the row.
	Unfold []string `yaml:"unfold"`
}

// SQL reads rows by queries: a column of JSON objects, or columns by name.
type SQL struct {
	Driver  string   `yaml:"driver"` // postgres or sqlite
	URL     string   `yaml:"url"`
	Queries []string `yaml:"queries"`
}

// Load reads a configuration file.
func Load(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := new(File)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, plain(err))
	}
	if f.dir, err = filepath.Abs(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

var goType = regexp.MustCompile(`(not found) in type \S+`)

// plain takes the names of Go types out of what the decoder says.
func plain(err error) error {
	return errors.New(goType.ReplaceAllString(err.Error(), "$1"))
}

func (f *File) check() error {
	if r := f.Read; r != nil {
		ways := 0
		for _, given := range []bool{len(r.Command) > 0, r.HTTP != nil, r.SQL != nil, len(r.Files) > 0} {
			if given {
				ways++
			}
		}
		if ways != 1 {
			return errors.New("read: give exactly one of command, http, sql and files")
		}
		if r.SQL != nil {
			if err := r.SQL.check(); err != nil {
				return err
			}
		}
		if !f.uses(placeholderPlace) && !f.uses(placeholderDir) && f.Reset == nil {
			return errors.New("config: each case needs a place of its own: use {place} or {dir} in a setting, or give reset")
		}
	}
	for name, a := range f.actions() {
		if (len(a.Command) > 0) == (a.HTTP != nil) {
			return fmt.Errorf("%s: give either command or http", name)
		}
	}
	if len(f.Faults) > 0 {
		if _, ok := f.Faults[conformance.FaultNone]; !ok {
			return errors.New("faults: none is missing: it has to end the others")
		}
	}
	return conformance.CheckLacks(f.Lacks)
}

// actions are all of them but the reader, by their place in the file.
func (f *File) actions() map[string]Action {
	all := map[string]Action{}
	if f.Reset != nil {
		all["reset"] = *f.Reset
	}
	for kind, a := range f.Faults {
		all["faults."+string(kind)] = a
	}
	return all
}
