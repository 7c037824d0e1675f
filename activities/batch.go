package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// part is what one delivery brings: a record, the elements of its lists, and
// what must be at the destination first.
type part struct {
	item    ledger.Delivery
	output  mapping.Output
	parents []parent
}

// group is one call to the plugin with the records of the deliveries.
type group struct {
	parts []part
	model string
	batch destination.Batch
}

func (g group) deliveries() []int64 {
	out := make([]int64, len(g.parts))
	for i, p := range g.parts {
		out[i] = p.item.ID
	}
	return out
}

// batches sorts what was claimed into calls, parents before what depends on
// them. Deliveries that cannot be built are given their outcome right away.
func (a *Activities) batches(ctx context.Context, settings *Settings, items []ledger.Delivery) ([]group, []ledger.Outcome, error) {
	type groupKey struct {
		mode          destination.Mode
		object, model string
		plan          *mapping.Plan // nil for one that maps nothing: those of all routes are the same
	}
	built, broken, err := a.build(ctx, settings, items)
	if err != nil {
		return nil, nil, err
	}
	var groups []group
	index := make(map[groupKey]int)
	for _, p := range built {
		call, record := p.output.Call, p.output.Record
		k := groupKey{mode: call.Mode, object: call.Object}
		if call.Mode != destination.ModeEvents {
			k.model = record.Origin.Model
			if plan := a.plan(settings, p.item, k.model); plan.Mapped() {
				k.plan = plan
			}
		}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, group{model: k.model, batch: batchOf(call)})
		}
		groups[i].parts = append(groups[i].parts, p)
		groups[i].batch.Records = append(groups[i].batch.Records, record)
	}
	return parentsFirst(groups), broken, nil
}

func batchOf(c mapping.Call) destination.Batch {
	return destination.Batch{Mode: c.Mode, Object: c.Object, KeyFields: c.KeyFields, Types: c.Types}
}

func (a *Activities) plan(settings *Settings, item ledger.Delivery, model string) *mapping.Plan {
	return settings.Plans.For(item.Route, item.Destination, model)
}

// build makes the records of the deliveries. Those that mappings look up are
// loaded together, and the mappings that asked for them run again.
func (a *Activities) build(ctx context.Context, settings *Settings, items []ledger.Delivery) ([]part, []ledger.Outcome, error) {
	found := make(related)
	parsed := make(map[int64]map[int64]event.Change) // by event, by position
	parts := make([]part, len(items))
	failed := make([]error, len(items))
	open := make([]int, len(items))
	for i := range items {
		open[i] = i
	}
	for round := 0; len(open) > 0; round++ {
		var again []int
		missing := make(map[event.RecordKey]struct{})
		for _, i := range open {
			asked := false
			parts[i], failed[i] = a.part(settings, items[i], found.lookup(items[i].Record, missing, &asked), parsed)
			switch {
			case asked && round < lookupDepth:
				again = append(again, i)
			case asked:
				failed[i] = &mapping.Failure{Field: "related", Err: errDepth}
			}
		}
		if open = again; len(open) > 0 {
			if err := a.relate(ctx, found, missing); err != nil {
				return nil, nil, err
			}
		}
	}
	var broken []ledger.Outcome
	out := parts[:0]
	for i, p := range parts {
		if failed[i] == nil {
			out = append(out, p)
			continue
		}
		o := ledger.Outcome{DeliveryID: items[i].ID, Result: ledger.OutcomeDead, ErrorKind: "unreadable", Code: "unreadable", Message: failed[i].Error()}
		if _, mapped := errors.AsType[*mapping.Failure](failed[i]); mapped {
			o.ErrorKind, o.Code = "mapping", "mapping"
		}
		a.settled(items[i].Destination, items[i], o)
		broken = append(broken, o)
	}
	return out, broken, nil
}

func (a *Activities) part(settings *Settings, item ledger.Delivery, l lookup, parsed map[int64]map[int64]event.Change) (part, error) {
	p := part{item: item}
	var err error
	switch item.Kind {
	case ledger.DeliverRecord:
		plan := a.plan(settings, item, item.Record.Key.Model)
		p.output, err = plan.Record(mapping.Merged{Record: item.Record, Delivered: item.Delivered, Children: item.Children, Lookup: l.find})
		p.parents = parentsOf(plan, item.Record)
	case ledger.DeliverChange:
		var c event.Change
		if c, err = a.change(item, parsed); err == nil {
			p.output.Part, err = a.plan(settings, item, c.Key.Model).Change(item.Event, c)
		}
	default:
		p.output.Part, err = a.plan(settings, item, "").Event(item.Event)
	}
	return p, err
}

func (a *Activities) change(item ledger.Delivery, parsed map[int64]map[int64]event.Change) (event.Change, error) {
	ev := item.Event
	byIndex, ok := parsed[ev.Seq]
	if !ok {
		changes, _, err := a.changes(*ev)
		if err != nil {
			return event.Change{}, err
		}
		byIndex = make(map[int64]event.Change, len(changes))
		for _, c := range changes {
			byIndex[c.Stamp.Index] = c
		}
		parsed[ev.Seq] = byIndex
	}
	c, ok := byIndex[int64(item.Index)]
	if !ok {
		return c, fmt.Errorf("event %s has no change at position %d", ev.ID, item.Index)
	}
	return c, nil
}

// parentsFirst orders groups so that what others depend on is written before
// them. A cycle is refused in the configuration; one that is there all the same
// keeps the order it has.
func parentsFirst(groups []group) []group {
	out := make([]group, 0, len(groups))
	for len(groups) > 0 {
		next := max(slices.IndexFunc(groups, func(g group) bool { return !dependsOnOther(g, groups) }), 0)
		out = append(out, groups[next])
		groups = slices.Delete(groups, next, next+1)
	}
	return out
}

func dependsOnOther(g group, all []group) bool {
	parents := make(map[string]bool)
	for _, p := range g.parts {
		for _, parent := range p.parents {
			parents[parent.key.Model] = parent.key.Model != g.model
		}
	}
	return slices.ContainsFunc(all, func(other group) bool { return other.batch.Mode == destination.ModeRecords && parents[other.model] })
}
