package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// target is an open file, used by one goroutine at a time.
type target interface {
	// write brings the records at these places of the batch to disk and fills in
	// their results. An error means that it wrote nothing.
	write(b *destination.Batch, places []int, results []destination.Result) error
	// stale reports whether the file on disk is not the open one any more.
	stale(root *os.Root) bool
	// finish completes what was put off.
	finish() error
	close() error
}

// opener opens the target of a name.
type opener func(root *os.Root, name string) (target, error)

// fileKind keeps a change log and a current state from sharing a file.
type fileKind int

const (
	kindLog fileKind = iota
	kindCurrent
)

// slot is a name that is or was open.
type slot struct {
	refs int    // guarded by store.mu; not 0 while somebody uses or waits for mu
	used uint64 // guarded by store.mu; larger = more recently
	kind fileKind

	mu     sync.Mutex // held while the target is read or written
	target target     // nil: not open
}

// store holds the directory, its lock, and the files that are open.
type store struct {
	dir     string
	maxOpen int

	// mu guards what follows. It is never held while a file is read or written,
	// except for the lock of the directory.
	mu    sync.Mutex
	root  *os.Root
	held  *os.File
	slots map[string]*slot
	clock uint64
}

func newStore(dir string, maxOpen int) *store {
	return &store{dir: dir, maxOpen: maxOpen, slots: map[string]*slot{}}
}

// ready returns the directory, made and locked. When somebody replaced it since
// the last call, the new one is taken and files of the old one become stale.
func (s *store) ready(ctx context.Context, patience time.Duration) (*os.Root, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root != nil {
		mine, err1 := s.root.Stat(".")
		there, err2 := os.Stat(s.dir)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return s.root, nil
		}
	}
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory: %w", err)
	}
	held, err := lock(ctx, root, patience)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.dir, err), root.Close())
	}
	// The old root stays open for those who use it now; closing only its lock is
	// enough, since nobody finds the old directory any more.
	if s.held != nil {
		_ = s.held.Close()
	}
	s.root, s.held = root, held
	return root, nil
}

// use calls f with the target of this name, opened if need be.
func (s *store) use(root *os.Root, name string, kind fileKind, open opener, f func(target) error) error {
	sl, err := s.take(name, kind)
	if err != nil {
		return err
	}
	defer s.release(name, sl)
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.target != nil && sl.target.stale(root) {
		_ = sl.target.close()
		sl.target = nil
	}
	if sl.target == nil {
		t, err := open(root, name)
		if err != nil {
			return err
		}
		sl.target = t
	}
	return f(sl.target)
}

func (s *store) take(name string, kind fileKind) (*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.slots[name]
	if sl == nil {
		sl = &slot{kind: kind}
		s.slots[name] = sl
	}
	if sl.kind != kind {
		return nil, &destination.Failure{
			Kind: destination.Misconfigured,
			Code: "PATH_CONFLICT",
			Err:  fmt.Errorf("%s: current state and a change log would share this file; give the routes different objects", name),
		}
	}
	s.clock++
	sl.refs, sl.used = sl.refs+1, s.clock
	return sl, nil
}

// release gives a slot back and closes others while too many are open.
func (s *store) release(name string, sl *slot) {
	s.mu.Lock()
	sl.refs--
	victim := ""
	if len(s.slots) > s.maxOpen {
		for n, o := range s.slots {
			if o.refs == 0 && (victim == "" || o.used < s.slots[victim].used) {
				victim = n
			}
		}
	}
	var old *slot
	if victim != "" {
		old = s.slots[victim]
		old.refs++
	}
	s.mu.Unlock()
	if old == nil {
		return
	}
	old.mu.Lock()
	err := old.shut()
	old.mu.Unlock()
	if err != nil {
		warn("a file was not closed properly; its journal will be read again", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old.refs--; old.refs == 0 && old.target == nil {
		delete(s.slots, victim)
	}
}

// shut finishes and closes the target. The caller holds mu.
func (sl *slot) shut() error {
	if sl.target == nil {
		return nil
	}
	err := sl.target.finish()
	err = errors.Join(err, sl.target.close())
	sl.target = nil
	return err
}

// each calls f for all targets that are open.
func (s *store) each(f func(name string, t target)) {
	s.mu.Lock()
	taken := map[string]*slot{}
	for name, sl := range s.slots {
		sl.refs++
		taken[name] = sl
	}
	s.mu.Unlock()
	for name, sl := range taken {
		sl.mu.Lock()
		if sl.target != nil {
			f(name, sl.target)
		}
		sl.mu.Unlock()
		s.mu.Lock()
		sl.refs--
		s.mu.Unlock()
	}
}

// close finishes and closes everything and gives the directory back.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for name, sl := range s.slots {
		sl.mu.Lock()
		if err := sl.shut(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		sl.mu.Unlock()
	}
	clear(s.slots)
	if s.held != nil {
		errs = append(errs, s.held.Close(), s.root.Close())
		s.held, s.root = nil, nil
	}
	return errors.Join(errs...)
}
