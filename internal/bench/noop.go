package bench

import (
	"context"
	"fmt"
	"time"
)

// written is what changes when anything is written to the table.
type written struct {
	rows, versions int64
	newest         string // transaction
}

func (r *rig) written(ctx context.Context) (written, error) {
	var w written
	err := r.db.QueryRow(ctx, `SELECT count(*), sum(_version), max(xmin::text::bigint)::text FROM `+table).Scan(&w.rows, &w.versions, &w.newest)
	return w, err
}

func (b *bench) noop(ctx context.Context, to *Result) error {
	return b.watched(ctx, setup{}, func(r *rig, w *watch) error { return r.noop(ctx, w, to) })
}

func (r *rig) noop(ctx context.Context, w *watch, to *Result) error {
	const size = 100
	messages := pick(r.bench, int64(1_000), int64(20))
	first := r.records
	created := time.Now()
	prime := load{connections: 8, records: size, count: messages, created: created}
	if _, err := r.send(ctx, prime); err != nil {
		return err
	}
	if _, err := w.await(ctx, messages*size, 2*time.Minute); err != nil {
		return err
	}
	if err := r.drained(ctx); err != nil {
		return err
	}
	before, err := r.written(ctx)
	if err != nil {
		return err
	}
	m, err := r.meter(ctx)
	if err != nil {
		return err
	}
	again := prime
	again.operation, again.created, again.firstRecord = "UPDATE", created.Add(time.Minute), first
	s, err := r.repeat(ctx, again)
	if err != nil {
		return err
	}
	if err := r.drained(ctx); err != nil {
		return err
	}
	took := time.Since(s.begin)
	after, err := r.written(ctx)
	if err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("a full sync without changes wrote to the destination: before %+v, after %+v", before, after)
	}
	to.add("records", float64(messages*size), "")
	to.add("all acknowledged after", s.took.Seconds(), "s")
	to.add("all merged after", took.Seconds(), "s")
	to.atLeast("recognised", float64(messages*size)/took.Seconds(), "records/s", 10_000)
	to.add("written to the destination", 0, "rows")
	return m.book(to, "")
}

// drained waits until the server has merged everything and nothing waits for a
// destination. It is the one thing that only the server can say: what it
// recognises as known leaves no trace anywhere else.
func (r *rig) drained(ctx context.Context) error {
	return r.server.Wait(ctx, "merge and deliver everything", func() bool {
		s, err := r.server.Client.Status(ctx)
		waiting := s.Backlog.Events + s.Backlog.Batches
		for _, d := range s.Deliveries {
			waiting += d.Waiting
		}
		return err == nil && waiting == 0
	})
}
