package sqlcore

import (
	"context"

	"github.com/sluicehq/sluice/plugins/destination"
)

// DryRun returns the SQL that Write would send, without values.
func (w *Writer) DryRun(ctx context.Context, b destination.Batch) ([]string, error) {
	c, err := w.newCall(&b)
	if err != nil {
		return nil, err
	}
	places := make([]int, len(b.Records))
	for i := range places {
		places[i] = i
	}
	if c.rows = collect(&b, places, c.results, c.options.HardDelete); len(c.rows) == 0 {
		return nil, nil
	}
	now, err := c.shape(ctx)
	if err != nil {
		return nil, c.Failure("read table "+c.layout.table, err)
	}
	target, alterations, err := c.fit(now)
	if err != nil {
		return nil, c.Failure("plan table "+c.layout.table, err)
	}
	var out []string
	if c.options.HardDelete && b.Mode == destination.ModeRecords && !now.buries {
		graves, err := c.digGraves(nil)
		if err != nil {
			return nil, c.Failure("plan tombstones", err)
		}
		for _, a := range graves {
			out = append(out, w.db.RenderAlteration(c.tombstones(&b).table, a)...)
		}
	}
	for _, a := range alterations {
		out = append(out, w.db.RenderAlteration(c.layout.table, a)...)
	}
	target.buries = now.buries
	selected := make([]int, len(c.rows))
	for i := range selected {
		selected[i] = i
	}
	for _, s := range c.work(target, selected).Statements {
		out = append(out, w.db.Render(s))
	}
	return out, nil
}
