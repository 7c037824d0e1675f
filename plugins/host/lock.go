package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Lock names the plugins that may be started, as a package manager's lock file
// does: what is not in it, or is another file, is refused.
type Lock struct {
	Plugins []Locked `json:"plugins"` // by name
}

// Locked is one plugin of a lock. Only the checksum decides; the rest is for who
// reads the file.
type Locked struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	Version  string `json:"version"`
	Protocol int    `json:"protocol"`
	SHA256   string `json:"sha256"`
}

// LockError says that a plugin is not the locked one.
type LockError struct {
	Found  Found
	Locked *Locked // nil: the plugin is not in the lock
}

func (e *LockError) Error() string {
	const advice = "if you trust the file, run sluice plugins lock"
	if e.Locked == nil {
		return fmt.Sprintf("plugin %s is not in the lock file: %s", e.Found.Name, advice)
	}
	return fmt.Sprintf("%s is not the locked plugin %s %s: its checksum is %s, and the lock file says %s: %s, or put the locked file back",
		e.Found.Path, e.Found.Name, e.Locked.Version, e.Found.SHA256, e.Locked.SHA256, advice)
}

// lockLimit bounds a lock file.
const lockLimit = 1 << 20

// ReadLock reads a lock file. There may be none: then it is nil, and everything
// may be started.
func ReadLock(path string) (*Lock, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, lockLimit+1))
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	l, err := parseLock(b)
	if err != nil {
		return nil, fmt.Errorf("lock file %s: %w: run sluice plugins lock to write it anew", path, err)
	}
	return l, nil
}

func parseLock(b []byte) (*Lock, error) {
	if len(b) > lockLimit {
		return nil, errors.New("is too large")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	l := new(Lock)
	if err := d.Decode(l); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("goes on after its end")
	}
	seen := make(map[string]bool)
	for _, p := range l.Plugins {
		switch {
		case !validName.MatchString(p.Name) || seen[p.Name]:
			return nil, fmt.Errorf("has %q twice, or it is no name of a plugin", p.Name)
		case !isSum(p.SHA256):
			return nil, fmt.Errorf("the sha256 of %s is none", p.Name)
		}
		seen[p.Name] = true
	}
	return l, nil
}

func isSum(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// Write replaces the file at path whole.
func (l *Lock) Write(path string) error {
	slices.SortFunc(l.Plugins, func(a, b Locked) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	defer os.Remove(f.Name()) // nothing, once it has its name
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("lock file: %w", err)
	}
	return nil
}

// Check returns a [*LockError] for a plugin that is not the locked one. No lock
// allows every plugin.
func (l *Lock) Check(found Found) error {
	if l == nil {
		return nil
	}
	i := slices.IndexFunc(l.Plugins, func(p Locked) bool { return p.Name == found.Name })
	switch {
	case i < 0:
		return &LockError{Found: found}
	case !strings.EqualFold(l.Plugins[i].SHA256, found.SHA256):
		return &LockError{Found: found, Locked: &l.Plugins[i]}
	default:
		return nil
	}
}

// Identify starts a plugin for a moment to say what is to be locked.
func Identify(ctx context.Context, found Found) (Locked, error) {
	c, err := Open(ctx, found.Path, OpenOptions{SHA256: found.SHA256})
	if err != nil {
		return Locked{}, fmt.Errorf("lock %s: %w", found.Name, err)
	}
	defer c.Close(ctx)
	d, err := c.Describe(ctx)
	if err != nil {
		return Locked{}, fmt.Errorf("lock %s: describe: %w", found.Name, err)
	}
	return Locked{Name: found.Name, Path: found.Path, Version: d.Version, Protocol: c.plugin.NegotiatedVersion(), SHA256: found.SHA256}, nil
}
