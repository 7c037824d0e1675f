package sqlite

import (
	"context"
	"fmt"
)

// CheckpointAt lets the log get that long, in pages.
func (o Options) CheckpointAt(frames int64) Options {
	o.frames = frames
	return o
}

// LimitPages lets the events file be full at a size.
func (l *Ledger) LimitPages(ctx context.Context, pages int) error {
	return l.events.do(ctx, &job{plain: true, run: func(c *conn) error {
		return c.query(ctx, fmt.Sprintf("PRAGMA max_page_count=%d", pages), func(row) error { return nil })
	}})
}
