package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/internal/ledger"
)

var _ ledger.Exporter = (*Ledger)(nil)

// Exists reports whether there is a ledger in the data directory.
func Exists(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, "ledger", "events.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, explain(err, "look into %s", dir)
}

// place is the file of a table of an export, and its name there.
func (l *Ledger) place(table string) (*file, string) {
	switch table {
	case "events", "batches":
		return l.events, table
	case "progress":
		return l.state, "batches"
	default:
		return l.state, table
	}
}

// Rows implements [ledger.Exporter].
func (l *Ledger) Rows(ctx context.Context, t ledger.Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		file, name := l.place(t.Name)
		columns := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			columns[i] = c.Name
		}
		gone := false
		err := file.read(ctx, func(c *conn) error {
			return c.query(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM `+name+` ORDER BY `+strings.Join(columns[:min(len(columns), 2)], ", "), func(r row) error {
				out := make([]any, len(r))
				for i := range r {
					out[i] = r.export(i, t.Columns[i].Type)
				}
				if !yield(out, nil) {
					gone = true
					return errEnough
				}
				return nil
			})
		})
		if err != nil && !gone {
			yield(nil, explain(err, "read %s", t.Name))
		}
	}
}

func (r row) export(i int, t ledger.ColumnType) any {
	switch {
	case r.null(i):
		return nil
	case t == ledger.Moment:
		if m := r.time(i); !m.IsZero() {
			return m
		}
		return nil
	case t == ledger.Truth:
		return r.int(i) != 0
	case t == ledger.Text:
		return r.text(i)
	case t == ledger.Bytes:
		return r.blob(i)
	default:
		return r.int(i)
	}
}

// Numbers implements [ledger.Exporter].
func (l *Ledger) Numbers(ctx context.Context) (map[string]int64, error) {
	out := make(map[string]int64)
	read := func(f *file, table, q string) error {
		return f.read(ctx, func(c *conn) error {
			_, err := c.one(ctx, q, func(r row) { out[table] = r.int(0) })
			return err
		})
	}
	err := errors.Join(
		read(l.events, "events", `SELECT max(claimed_seq, (SELECT coalesce(max(seq), 0) FROM events)) FROM cursor`),
		read(l.events, "cursor", `SELECT claimed_seq FROM cursor`),
		read(l.events, "batches", `SELECT seq FROM sqlite_sequence WHERE name = 'batches'`),
		read(l.state, "deliveries", `SELECT seq FROM sqlite_sequence WHERE name = 'deliveries'`),
		read(l.state, "dead_letters", `SELECT seq FROM sqlite_sequence WHERE name = 'dead_letters'`),
		read(l.state, "records", `SELECT coalesce(max(id), 0) FROM records`),
		read(l.state, "names", `SELECT coalesce(max(id), 0) FROM names`),
		read(l.state, "scopes", `SELECT coalesce(max(id), 0) FROM scopes`),
	)
	return out, explain(err, "read numbers")
}
