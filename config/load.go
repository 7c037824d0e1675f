package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Loader reads configurations from disk. The zero value knows no variables and
// runs nothing.
type Loader struct {
	Env func(name string) (string, bool) // as os.LookupEnv does
	// AllowExec lets ${exec:…} run programs. Whoever can write the configuration
	// can then run anything as this process, so it has to be asked for.
	AllowExec bool
	// Lenient leaves values unknown whose references cannot be resolved: for who
	// wants to know what the routes do, in a place that has no secrets.
	Lenient bool
}

// Load reads the configuration at path, as [Loader.Load] does, and runs nothing.
func Load(path string, env func(string) (string, bool)) (*File, error) {
	return Loader{Env: env}.Load(path)
}

// Load reads the configuration at path: a file, or a directory whose files
// (*.yaml and *.yml) are read in the order of their names. The error holds every
// problem as [Diagnostics]; the File is nil only when there is nothing to read.
// Warnings are in File.Diagnostics and are no error.
func (l Loader) Load(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %s: %w", path, cause(err))
	}
	several := info.IsDir()
	stamp := Fingerprint(path)
	var parts []Part
	if several {
		parts, err = readDirectory(path)
	} else {
		var data []byte
		data, err = readLimited(path)
		parts, err = []Part{{path, data}}, cause(err)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %s: %w", path, err)
	}
	f, err := l.parse(path, parts, several)
	f.filesStamp = stamp
	return f, err
}

// Again reads the references of a configuration anew, while the files stay as
// they were read: what ${file:…} names has changed.
func (l Loader) Again(f *File) (*File, error) {
	again, err := l.parse(f.Name, f.parts, f.report.several)
	again.filesStamp = f.filesStamp
	return again, err
}

// Stamps are the fingerprints of the configuration's files and of the files that
// ${file:…} names, as they were when they were read.
func (f *File) Stamps() (files, referenced string) { return f.filesStamp, f.referencedStamp }

// StampsNow are the same, as the files are now.
func (f *File) StampsNow() (files, referenced string) {
	return Fingerprint(f.Name), Fingerprint(f.referenced...)
}

func (l Loader) parse(path string, parts []Part, several bool) (*File, error) {
	dir := path
	if !several {
		dir = filepath.Dir(path)
	}
	referenced := make(map[string]string) // path → fingerprint before it was read
	ctx, cancel := context.WithTimeout(context.Background(), execTogether)
	defer cancel()
	resolve := Resolver{
		Env: l.Env, Lenient: l.Lenient,
		File: func(name string) (string, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(dir, name)
			}
			if _, again := referenced[name]; !again {
				referenced[name] = Fingerprint(name)
			}
			if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
				return "", errors.New("it is not a regular file") // a pipe could keep us waiting
			}
			b, err := readLimited(name)
			if err == nil && len(b) > maxBytes {
				err = fmt.Errorf("it is larger than %s", formatSize(maxBytes))
			}
			return string(b), cause(err)
		},
	}
	if l.AllowExec {
		resolve.Exec = (&runner{ctx: ctx, dir: dir}).run
	}
	f, err := parse(path, parts, several, resolve)
	f.referenced = slices.Sorted(maps.Keys(referenced))
	for _, name := range f.referenced {
		f.referencedStamp += referenced[name]
	}
	return f, err
}

// IsConfigName reports whether a file of that name in a directory is part of the
// configuration. Hidden files are not, and neither are the files of sluice test.
func IsConfigName(name string) bool {
	ext := filepath.Ext(name)
	return !strings.HasPrefix(name, ".") && (ext == ".yaml" || ext == ".yml") && !strings.HasSuffix(strings.TrimSuffix(name, ext), ".test")
}

// readDirectory reads the files of a directory. One that Kubernetes mounts is
// swapped by moving the link ..data: its files are read behind the link, so that
// all of them are of one version.
func readDirectory(dir string) ([]Part, error) {
	from := dir
	if data, err := filepath.EvalSymlinks(filepath.Join(dir, "..data")); err == nil {
		from = data
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return nil, cause(err)
	}
	var parts []Part
	for _, e := range entries {
		if !IsConfigName(e.Name()) {
			continue
		}
		name := filepath.Join(from, e.Name())
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name(), cause(err))
			}
			continue
		}
		data, err := readLimited(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), cause(err))
		}
		parts = append(parts, Part{filepath.Join(dir, e.Name()), data})
	}
	if len(parts) == 0 {
		return nil, errors.New("the directory has no configuration files (*.yaml, *.yml)")
	}
	return parts, nil
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
