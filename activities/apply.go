package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Transactions on the ledger are kept short, so that an append never waits long
// behind a merge: this many bytes are read and this many changes merged at a time.
const (
	applyBytes   = 4 << 20
	applyChanges = 500
)

// ApplyInput names the batch. Stored; only add fields.
type ApplyInput struct {
	Batch int64 `json:"batch"`
}

// ApplyResult says what there is to deliver. Stored; only add fields.
type ApplyResult struct {
	Changed      int               `json:"changed"`   // records with a new version
	Unchanged    int               `json:"unchanged"` // records that were told nothing new
	Destinations []DestinationPlan `json:"destinations,omitempty"`
}

// DestinationPlan is a destination with deliveries, and a snapshot of how it is
// to be tried. Stored; only add fields.
type DestinationPlan struct {
	Name            string        `json:"name"`
	Waiting         int           `json:"waiting"`
	TaskQueue       string        `json:"task_queue,omitempty"`
	Timeout         time.Duration `json:"timeout"`
	InitialInterval time.Duration `json:"initial_interval"`
	Coefficient     float64       `json:"coefficient"`
	MaxInterval     time.Duration `json:"max_interval"`
	Paused          string        `json:"paused,omitempty"` // why it was not tried when this was written
}

// Apply merges the batch's events into their records and books what the routes
// want delivered. Applying a batch again changes nothing and returns what is
// still waiting.
func (a *Activities) Apply(ctx context.Context, in ApplyInput) (ApplyResult, error) {
	var out ApplyResult
	b, err := a.store.BatchByID(ctx, in.Batch)
	if err != nil {
		return out, fmt.Errorf("load batch %d: %w", in.Batch, err)
	}
	settings := a.settings()
	if !b.Applied {
		if err := a.applyEvents(ctx, b, settings, &out); err != nil {
			return out, err
		}
	}

	waiting, err := a.store.Pending(ctx, in.Batch)
	if err != nil {
		return out, fmt.Errorf("count deliveries of batch %d: %w", in.Batch, err)
	}
	for _, name := range slices.Sorted(maps.Keys(waiting)) {
		// A destination that left the configuration has no worker. What waits
		// for it stays in the ledger and is driven when it comes back.
		d, ok := settings.Destinations[name]
		if !ok {
			continue
		}
		plan := DestinationPlan{
			Name: name, Waiting: waiting[name], Timeout: d.Timeout, TaskQueue: TaskQueue(settings.TaskQueue, name),
			InitialInterval: d.InitialInterval, Coefficient: d.Coefficient, MaxInterval: d.MaxInterval,
		}
		if whole, _ := a.pauses(name); whole != nil {
			plan.Paused = pauseText(*whole)
		}
		out.Destinations = append(out.Destinations, plan)
	}
	names := make([]string, len(out.Destinations))
	for i, d := range out.Destinations {
		names[i] = d.Name
	}
	a.passes.Applied(in.Batch, names)
	return out, nil
}

func (a *Activities) applyEvents(ctx context.Context, b ledger.Batch, settings *Settings, out *ApplyResult) error {
	r := newRouter(settings.Table, a.metrics)
	defer r.report(a.log)
	apply := func(chunk ledger.Application) error {
		chunk.Batch, chunk.Route, chunk.Revision, chunk.Before = b.ID, r.record, settings.Revision, settings.Table.History()
		applied, err := a.store.Apply(ctx, chunk)
		if err != nil {
			return fmt.Errorf("apply batch %d: %w", b.ID, err)
		}
		out.Changed += applied.Changed
		out.Unchanged += applied.Unchanged
		a.metrics.applied(applied)
		return nil
	}

	var todo ledger.Application
	for after := b.FirstSeq - 1; ; {
		events, err := a.store.Events(ctx, b.ID, after, applyBytes)
		if err != nil {
			return fmt.Errorf("load events of batch %d: %w", b.ID, err)
		}
		if len(events) == 0 {
			break
		}
		for _, ev := range events {
			after = ev.Seq
			a.route(ev, r, &todo)
			for len(todo.Changes)+len(todo.Appends)+len(todo.Unkeyed) > applyChanges {
				if err := apply(cut(&todo)); err != nil {
					return err
				}
			}
		}
	}
	todo.Final = true
	return apply(todo)
}

// cut takes one chunk from what is to be applied, in its order.
func cut(todo *ledger.Application) ledger.Application {
	var chunk ledger.Application
	room := applyChanges
	chunk.Changes, todo.Changes = first(todo.Changes, &room)
	chunk.Appends, todo.Appends = first(todo.Appends, &room)
	chunk.Unkeyed, todo.Unkeyed = first(todo.Unkeyed, &room)
	chunk.Unrouted, todo.Unrouted = todo.Unrouted, nil
	return chunk
}

func first[T any](all []T, room *int) (chunk, rest []T) {
	n := min(len(all), *room)
	*room -= n
	return all[:n:n], all[n:]
}

// route adds the event to the chunk: its changes to be merged, and the
// deliveries of single changes and of the event itself.
func (a *Activities) route(ev event.Event, r *router, chunk *ledger.Application) {
	in := r.note(ev)
	if r.table.Unrouted(in) {
		chunk.Unrouted = append(chunk.Unrouted, ev.Seq)
	}
	if ev.Kind != event.KindDataModelChanges {
		for _, m := range r.table.Appends(in) {
			chunk.Appends = append(chunk.Appends, ledger.AppendWant{Want: want(m), Seq: ev.Seq, Index: -1, Model: ev.Model})
		}
		return
	}
	changes, unkeyed, err := a.changes(ev)
	if err != nil {
		// The endpoint has seen it as JSON of the right shape, so this is a
		// payload nobody foresaw: keep it where an operator finds it.
		unkeyed = []Unkeyed{{Index: -1, Reason: err.Error()}}
	}
	for _, c := range changes {
		for _, m := range r.table.Appends(r.of(in, c)) {
			chunk.Appends = append(chunk.Appends, ledger.AppendWant{Want: want(m), Seq: ev.Seq, Index: int(c.Stamp.Index), Model: ev.Model})
		}
	}
	for _, u := range unkeyed {
		for _, m := range r.everywhere(in) {
			chunk.Unkeyed = append(chunk.Unkeyed, ledger.Unkeyed{Want: want(m), Seq: ev.Seq, Index: u.Index, Model: ev.Model, Reason: u.Reason})
		}
	}
	chunk.Changes = append(chunk.Changes, changes...)
}

func (a *Activities) changes(ev event.Event) ([]event.Change, []Unkeyed, error) {
	// By format, not by source: a source may have left the configuration while
	// its events waited.
	format, _, _ := strings.Cut(ev.Format, "/")
	p, ok := a.payloads[format]
	if !ok {
		return nil, nil, fmt.Errorf("this version of sluice does not know the format %q", ev.Format)
	}
	return p.Changes(ev)
}

func want(m routing.Match) ledger.Want {
	return ledger.Want{Destination: m.Destination, Route: m.Route}
}
