package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// sideFolder holds what the current-state files are made from: a snapshot and a
// journal each.
const sideFolder = ".sluice"

func snapshotName(name string) string { return sideFolder + "/" + name + ".snapshot" }
func journalName(name string) string  { return sideFolder + "/" + name + ".journal" }

// minCompact keeps small states from being rewritten all the time.
const minCompact = 1 << 20

// current is the open state of one file.
//
// A write goes to the journal, durably, and to memory. The file itself is
// rewritten from memory later, and the snapshot when the journal has outgrown
// it. Snapshot and journal may overlap: the version decides.
type current struct {
	root    *os.Root
	name    string
	soft    bool
	export  exporter
	types   *columnTypes // nil: the format has none
	rows    map[string]row
	journal *lines
	size    int64 // of the snapshot
	dirty   bool  // the file lacks something that the journal has
	took    time.Duration
	last    time.Time
}

// exporter writes the rows, sorted, as the file that users read.
type exporter func(w *bufio.Writer, rows []row) error

func openCurrent(root *os.Root, name string, soft bool, export exporter) (*current, error) {
	c := &current{root: root, name: name, soft: soft, export: export, rows: map[string]row{}}
	if err := c.readSnapshot(); err != nil {
		return nil, fmt.Errorf("read %s: %w", snapshotName(name), err)
	}
	f, err := openHandle(root, journalName(name))
	if err != nil {
		return nil, err
	}
	var bad error
	c.journal, err = openLines(f, 0, jsonl{}.complete, func(offset int64, raw []byte) {
		r, err := decodeRow(raw)
		if err != nil {
			bad = errors.Join(bad, fmt.Errorf("byte %d: %w", offset, err))
			return
		}
		c.put(r)
	})
	if err := errors.Join(err, bad); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", journalName(name), err), f.Close())
	}
	_, err = root.Stat(name)
	c.dirty = c.journal.size > 0 || errors.Is(err, fs.ErrNotExist) && len(c.rows) > 0
	return c, nil
}

func (c *current) readSnapshot() error {
	f, err := c.root.Open(snapshotName(c.name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	for {
		raw, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(raw) == 0 {
			return nil
		}
		if err != nil { // renamed into place only when whole
			return fmt.Errorf("byte %d: cut short: %w", c.size, err)
		}
		r, err := decodeRow(raw)
		if err != nil {
			return fmt.Errorf("byte %d: %w", c.size, err)
		}
		c.put(r)
		c.size += int64(len(raw))
	}
}

// put keeps the row unless a newer one is there.
//
// Invariant 3: a destination never goes back to an older version.
func (c *current) put(r row) {
	if old, ok := c.rows[r.id()]; ok && old.version >= r.version {
		return
	}
	c.rows[r.id()] = r
}

func (c *current) write(b *destination.Batch, places []int, results []destination.Result) error {
	rename := columnName(b.KeyFields)
	fresh := map[string]row{}
	var order []string
	for _, i := range places {
		r, err := newRow(b, &b.Records[i], rename, c.soft)
		if err == nil {
			err = c.types.check(b, &b.Records[i])
		}
		if err != nil {
			results[i] = rejected("INVALID_RECORD", err)
			continue
		}
		results[i] = destination.Result{Kind: destination.Delivered}
		id := r.id()
		if old, ok := c.rows[id]; ok && old.version >= r.version {
			continue
		}
		old, ok := fresh[id]
		if ok && old.version >= r.version {
			continue
		}
		if !ok {
			order = append(order, id)
		}
		fresh[id] = r
	}
	var text []byte
	for _, id := range order {
		r := fresh[id]
		text = r.encode(text)
	}
	if len(text) == 0 {
		return nil
	}
	if err := c.types.learn(c.root, b, rename); err != nil {
		return err
	}
	if err := c.journal.append(text); err != nil {
		return err
	}
	c.dirty = true
	maps.Copy(c.rows, fresh)
	return nil
}

// due reports whether the file should be rewritten now. Large files are
// rewritten less often, so that rewriting takes a small part of the time.
func (c *current) due(now time.Time, every time.Duration) bool {
	return c.dirty && now.Sub(c.last) >= max(every, 20*c.took)
}

// grown reports whether the journal has outgrown the snapshot.
func (c *current) grown() bool { return c.journal.size > max(c.size, minCompact) }

// flush rewrites the file if it lacks something.
func (c *current) flush() error {
	if !c.dirty {
		return nil
	}
	start := time.Now()
	rows := c.sorted()
	visible := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.deleted && !c.soft })
	_, err := replaceFile(c.root, c.name, func(w *bufio.Writer) error { return c.export(w, visible) })
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", c.name, err)
	}
	c.dirty = false
	c.last = time.Now()
	c.took = c.last.Sub(start)
	return nil
}

// finish brings file and snapshot up to date and empties the journal.
func (c *current) finish() error {
	if err := c.flush(); err != nil {
		return err
	}
	if c.journal.size == 0 {
		return nil
	}
	size, err := replaceFile(c.root, snapshotName(c.name), func(w *bufio.Writer) error {
		var text []byte
		for _, r := range c.sorted() {
			text = r.encode(text[:0])
			if _, err := w.Write(text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", snapshotName(c.name), err)
	}
	c.size = size
	if err := c.journal.reset(); err != nil {
		return fmt.Errorf("empty %s: %w", journalName(c.name), err)
	}
	return nil
}

func (c *current) sorted() []row {
	return slices.SortedFunc(maps.Values(c.rows), func(a, b row) int {
		if n := strings.Compare(a.key, b.key); n != 0 {
			return n
		}
		return strings.Compare(a.object, b.object)
	})
}

func (c *current) stale(root *os.Root) bool {
	return c.root != root || c.journal.stale(root, journalName(c.name))
}

func (c *current) close() error { return c.journal.close() }
