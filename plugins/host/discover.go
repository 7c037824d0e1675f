package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Prefix begins the file name of every destination plugin.
const Prefix = "sluice-destination-"

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Found is a plugin in a plugin directory.
type Found struct {
	Name   string // as in the configuration: "postgres"
	Path   string
	SHA256 string // of the file, hexadecimal
}

// NotFoundError says that no directory has the plugin, and what there is instead.
type NotFoundError struct {
	Name      string
	Dirs      []string
	Available []string // sorted
}

func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("no plugin %q: looked for %s%s in %s", e.Name, Prefix, e.Name, strings.Join(e.Dirs, ", "))
	if len(e.Dirs) == 0 {
		return fmt.Sprintf("no plugin %q: no plugin directory is set", e.Name)
	}
	if len(e.Available) == 0 {
		return text + ", which have no plugins"
	}
	return text + "; available: " + strings.Join(e.Available, ", ")
}

// Discover lists the plugins in dirs by name. Of two with one name the earlier
// directory's counts. Files that must not be run are left out of the list and
// named in the error, so the list is good even with an error. A directory that
// does not exist is empty.
func Discover(dirs []string) ([]Found, error) {
	var list []Found
	var problems []error
	seen := map[string]bool{}
	for _, dir := range dirs {
		names, err := pluginNames(dir)
		if err != nil {
			problems = append(problems, err)
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			f, err := inspectFile(dir, name)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			seen[name] = true
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b Found) int { return strings.Compare(a.Name, b.Name) })
	return list, errors.Join(problems...)
}

// Find looks for one plugin. The error is a [*NotFoundError] if there is none.
func Find(dirs []string, name string) (Found, error) {
	if !validName.MatchString(name) { // also keeps path separators out
		return Found{}, fmt.Errorf("plugin name %q: must match %s", name, validName)
	}
	var available []string
	for _, dir := range dirs {
		f, err := inspectFile(dir, name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		names, _ := pluginNames(dir)
		available = append(available, names...)
	}
	slices.Sort(available)
	return Found{}, &NotFoundError{Name: name, Dirs: dirs, Available: slices.Compact(available)}
}

// pluginNames lists the valid plugin names among the files of dir.
func pluginNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plugin directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), Prefix)
		if ok && !e.IsDir() && validName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func inspectFile(dir, name string) (Found, error) {
	p, err := openProgram(filepath.Join(dir, Prefix+name))
	if err != nil {
		return Found{}, fmt.Errorf("plugin %s: %w", name, err)
	}
	defer p.Close()
	return Found{Name: name, Path: p.path, SHA256: p.sum}, nil
}
