package host

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice.lock")
	none, err := ReadLock(path)
	if none != nil || err != nil {
		t.Fatalf("of a file that is not there: %v, %v", none, err)
	}
	if err := none.Check(Found{Name: "any"}); err != nil {
		t.Errorf("without a lock: %v", err)
	}
	sum := strings.Repeat("0a", 32)
	l := &Lock{Plugins: []Locked{{Name: "b", SHA256: sum}, {Name: "a", Path: "/p/a", Version: "1.0", Protocol: 1, SHA256: sum}}}
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLock(path)
	if err != nil || !reflect.DeepEqual(got, l) || got.Plugins[0].Name != "a" {
		t.Fatalf("%+v, %v, want %+v in order", got, err, l)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for name, tt := range map[string]struct {
		found Found
		want  string
	}{
		"the locked one":        {Found{Name: "a", Path: "/elsewhere", SHA256: strings.ToUpper(sum)}, ""},
		"another file":          {Found{Name: "a", Path: "/p/a", SHA256: strings.Repeat("1", 64)}, "is not the locked plugin a 1.0"},
		"one that is not in it": {Found{Name: "c", SHA256: sum}, "is not in the lock file: if you trust the file, run sluice plugins lock"},
	} {
		t.Run(name, func(t *testing.T) {
			err := got.Check(tt.found)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if _, ok := errors.AsType[*LockError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestBadLocks(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for name, text := range map[string]string{
		"empty": "", "text": "hello", "more": `{"plugins":[]} {}`, "unknown": `{"plugin":[]}`,
		"short sum": `{"plugins":[{"name":"a","sha256":"00"}]}`, "no name": `{"plugins":[{"name":"../a","sha256":"` + sum + `"}]}`,
		"twice": `{"plugins":[{"name":"a","sha256":"` + sum + `"},{"name":"a","sha256":"` + sum + `"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sluice.lock")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if l, err := ReadLock(path); err == nil || !strings.Contains(err.Error(), "run sluice plugins lock") {
				t.Errorf("%+v, %v", l, err)
			}
		})
	}
}

func FuzzLock(f *testing.F) {
	f.Add([]byte(`{"plugins":[{"name":"a","sha256":"` + strings.Repeat("0", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLock(b)
		if err != nil {
			return
		}
		for _, p := range l.Plugins {
			if err := l.Check(Found{Name: p.Name, SHA256: p.SHA256}); err != nil {
				t.Error(err)
			}
		}
	})
}
