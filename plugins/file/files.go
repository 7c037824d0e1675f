package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
)

const version = "0.1.0"

// parallel is how many files one Write brings to disk at a time: most of the
// time is spent in fsync.
const parallel = 8

// files is the destination.
type files struct {
	options options
	store   *store
	refresh *refresher // nil unless the state is current
}

var (
	_ destination.Destination = (*files)(nil)
	_ destination.Checker     = (*files)(nil)
	_ destination.DryRunner   = (*files)(nil)
)

func newFiles() *files { return &files{} }

// Describe implements [destination.Destination].
func (d *files) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name:         "file",
		Version:      version,
		ConfigSchema: serve.Schema[settings](),
		Capabilities: []destination.Capability{
			destination.CapabilityCheck, destination.CapabilityDryRun,
			destination.CapabilityRecords, destination.CapabilityChanges, destination.CapabilityEvents,
		},
		MaxBatchRecords: 5000,
	}, nil
}

// Configure implements [destination.Destination]. It does not touch the
// directory: settings may be checked while another process writes there.
func (d *files) Configure(_ context.Context, raw json.RawMessage) error {
	o, err := parseSettings(raw)
	if err != nil {
		return err
	}
	d.options, d.store = o, newStore(o.dir, o.open)
	if o.current {
		d.refresh = startRefresher(d)
	}
	return nil
}

// Close finishes files that are behind and gives the directory back.
func (d *files) Close() error {
	if d.store == nil {
		return nil
	}
	if d.refresh != nil {
		d.refresh.stop()
	}
	return d.store.close()
}

// Write implements [destination.Destination].
func (d *files) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	results := make([]destination.Result, len(b.Records))
	if len(b.Records) == 0 {
		return results, nil
	}
	root, err := d.store.ready(ctx, lockPatience)
	if err != nil {
		return nil, failureOf(err)
	}
	groups := d.group(&b, results)
	names := slices.Sorted(maps.Keys(groups))
	next := make(chan string)
	var workers sync.WaitGroup
	for range min(parallel, len(names)) {
		workers.Go(func() {
			for name := range next {
				places := groups[name]
				err := ctx.Err()
				if err == nil {
					err = d.writeFile(root, name, &b, places, results)
				}
				if err != nil {
					for _, i := range places {
						results[i] = resultOf(err)
					}
				}
			}
		})
	}
	for _, name := range names {
		next <- name
	}
	close(next)
	workers.Wait()
	return results, nil
}

// group sorts the records by file, in their order. A record that does not fit
// the batch's mode gets its result and is left out.
func (d *files) group(b *destination.Batch, results []destination.Result) map[string][]int {
	groups := map[string][]int{}
	for i := range b.Records {
		r := &b.Records[i]
		merged := r.Operation == destination.Upsert || r.Operation == destination.Delete
		if d.appends(b) && r.Operation != destination.Append || !d.appends(b) && !merged {
			results[i] = rejected("INVALID_RECORD", errors.New("the record's operation does not fit the mode of its batch; is the plugin too old?"))
			continue
		}
		name := d.name(b, r)
		groups[name] = append(groups[name], i)
	}
	return groups
}

func (d *files) appends(b *destination.Batch) bool { return b.Mode != destination.ModeRecords }

func (d *files) name(b *destination.Batch, r *destination.Record) string {
	name := d.options.layout.Of(b.Object, r, placeholder.Extra{"part": "part"})
	if d.options.current && d.appends(b) {
		return logPath(name)
	}
	return name
}

func (d *files) writeFile(root *os.Root, name string, b *destination.Batch, places []int, results []destination.Result) error {
	if !d.options.current || d.appends(b) {
		return d.store.use(root, name, kindLog, d.openLog, func(t target) error { return t.write(b, places, results) })
	}
	return d.store.use(root, name, kindCurrent, d.openCurrent, func(t target) error {
		if err := t.write(b, places, results); err != nil {
			return err
		}
		c, ok := t.(*current)
		if !ok {
			return nil
		}
		// The write is safe in the journal, whatever comes of this.
		if d.options.refresh == 0 {
			if err := c.flush(); err != nil {
				warn("a file could not be rewritten; it stays as it was until that works", err)
			}
		}
		if c.grown() {
			if err := c.finish(); err != nil {
				warn("the journal could not be compacted; it keeps growing until that works", err)
			}
		}
		return nil
	})
}

func (d *files) openLog(root *os.Root, name string) (target, error) {
	switch {
	case d.options.parts():
		return d.openParts(root, name)
	case d.options.format == "csv":
		return openLog(root, name, csvLog{}, d.options.window)
	default:
		return openLog(root, name, jsonl{}, d.options.window)
	}
}

func (d *files) openCurrent(root *os.Root, name string) (target, error) {
	o := &d.options
	switch o.format {
	case "csv":
		return openCurrent(root, name, o.soft, exportCSV)
	case "parquet":
		return openTyped(root, name, o.soft, o.decimal)
	default:
		return openCurrent(root, name, o.soft, exportJSONL)
	}
}

// Check implements [destination.Checker]: the directory can be written to.
func (d *files) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(d.options.dir, 0o750); err != nil {
		return failureOf(fmt.Errorf("make the directory: %w", err))
	}
	f, err := os.CreateTemp(d.options.dir, ".sluice-check-*")
	if err != nil {
		return failureOf(fmt.Errorf("write to the directory: %w", err))
	}
	_, err = f.WriteString("check")
	err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	if err != nil {
		return failureOf(fmt.Errorf("write to the directory: %w", err))
	}
	return nil
}

// DryRun implements [destination.DryRunner]. It says which files would get how
// many lines, and reads none of them.
func (d *files) DryRun(_ context.Context, b destination.Batch) ([]string, error) {
	groups := d.group(&b, make([]destination.Result, len(b.Records)))
	var out []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		what := "append"
		if d.options.current && !d.appends(&b) {
			what = "bring up to date with"
		}
		out = append(out, fmt.Sprintf("%s: %s %d records", name, what, len(groups[name])))
	}
	return out, nil
}
