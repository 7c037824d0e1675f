package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
	"github.com/sluicehq/sluice/plugins/internal/part"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
)

// parts is a log in a format that takes files only whole: every write adds one.
// Its name follows from its records, so that a repeated write finds its file.
type parts struct {
	root *os.Root
	form part.Form
	// pathOf names the file of a part by one of its records.
	pathOf func(b *destination.Batch, r *destination.Record, id string) string
}

func (d *files) openParts(root *os.Root, _ string) (target, error) {
	return &parts{root: root, form: part.Form{Parquet: true, Decimal: d.options.decimal}, pathOf: d.partPath}, nil
}

func (d *files) partPath(b *destination.Batch, r *destination.Record, id string) string {
	if !d.options.current {
		return d.options.layout.Of(b.Object, r, placeholder.Extra{"part": id})
	}
	// A log beside a state is a folder.
	log := logPath(d.options.layout.Of(b.Object, r, nil))
	return strings.TrimSuffix(log, path.Ext(log)) + "/" + id + ".parquet"
}

func (p *parts) write(b *destination.Batch, places []int, results []destination.Result) error {
	rows := part.New(b, p.form)
	for _, i := range places {
		results[i] = destination.Result{Kind: destination.Delivered}
		if err := rows.Add(&b.Records[i]); err != nil {
			results[i] = rejected("INVALID_RECORD", err)
		}
	}
	if rows.Len() == 0 {
		return nil
	}
	name := p.pathOf(b, &b.Records[places[0]], rows.ID())
	if _, err := p.root.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err // nil: the file is there, and files are there only whole
	}
	_, err := replaceFile(p.root, name, func(w *bufio.Writer) error { return rows.Write(w) })
	return err
}

func (p *parts) stale(root *os.Root) bool { return p.root != root }

// finish has nothing to do: every write is finished when it returns.
func (p *parts) finish() error { return nil }

func (p *parts) close() error { return nil }

// openTyped opens a current state whose file is Parquet.
func openTyped(root *os.Root, name string, soft bool, decimal parquetfile.Decimal) (target, error) {
	types, err := readTypes(root, name, decimal)
	if err != nil {
		return nil, err
	}
	c, err := openCurrent(root, name, soft, types.export)
	if err != nil {
		return nil, err
	}
	c.types = types
	return c, nil
}
