package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/host"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	b := script(t, first, "b", "")
	script(t, second, "b", "exit 1")
	script(t, second, "a", "")
	script(t, second, "UPPER", "")
	if err := os.WriteFile(filepath.Join(second, "README"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(second, host.Prefix+"dir"), 0o700); err != nil {
		t.Fatal(err)
	}

	found, err := host.Discover([]string{first, second, filepath.Join(first, "missing")})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
		if len(f.SHA256) != 64 {
			t.Errorf("%s: checksum %q", f.Name, f.SHA256)
		}
	}
	if !slices.Equal(names, []string{"a", "b"}) || found[1].Path != b {
		t.Errorf("found %+v", found)
	}
}

func TestUnsafeFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode os.FileMode
		want string
	}{
		"world": {0o757, "chmod go-w"},
		"group": {0o770, "chmod go-w"},
		"data":  {0o644, "not executable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			script(t, dir, "good", "")
			if err := os.Chmod(script(t, dir, "bad", ""), tt.mode); err != nil {
				t.Fatal(err)
			}
			if _, err := host.Find([]string{dir}, "bad"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("find: %v", err)
			}
			found, err := host.Discover([]string{dir})
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(found) != 1 || found[0].Name != "good" {
				t.Errorf("discover: %+v, %v", found, err)
			}
			if _, err := host.Inspect(t.Context(), filepath.Join(dir, host.Prefix+"bad")); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("inspect: %v", err)
			}
		})
	}
}

func TestNotFoundSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script(t, dir, "postgres", "")
	script(t, dir, "file", "")
	_, err := host.Find([]string{dir}, "postgre")
	e, ok := errors.AsType[*host.NotFoundError](err)
	if !ok || e.Name != "postgre" || !slices.Equal(e.Available, []string{"file", "postgres"}) {
		t.Errorf("got %#v", err)
	}
}

func TestNamesCannotLeaveTheDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	if err := os.MkdirAll(filepath.Join(sub, host.Prefix+"x"), 0o700); err != nil {
		t.Fatal(err)
	}
	script(t, dir, "evil", "")
	for _, name := range []string{"", "x/../../" + host.Prefix + "evil", "../evil", "a b", "A", "a\x00b", strings.Repeat("a", 33), "-a"} {
		_, err := host.Find([]string{sub}, name)
		if _, notFound := errors.AsType[*host.NotFoundError](err); err == nil || notFound {
			t.Errorf("%q: %v", name, err)
		}
	}
}
