package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
)

// The kind of a dead letter whose parent never came. Stored; never rename.
const errorParentMissing = "parent_missing"

// parent is a record that must be at the destination first.
type parent struct {
	key   event.RecordKey
	field string // that names it
}

// parentsOf reads the parents of a record from its fields. A deleted record
// waits for nobody: it is to go.
func parentsOf(plan *mapping.Plan, r *event.Record) []parent {
	if r.Deleted() {
		return nil
	}
	var out []parent
	for _, p := range plan.Parents() {
		f, ok := r.Fields[p.Field]
		if !ok || !r.Live(f) {
			continue
		}
		id, ok := platformID(f.Value)
		if !ok {
			continue // none, or not one that names a record
		}
		key := r.Key
		key.Model, key.PlatformID = p.Model, id
		if key != r.Key {
			out = append(out, parent{key, p.Field})
		}
	}
	return out
}

// platformID reads a reference. Sources send ids as text or as numbers.
func platformID(raw json.RawMessage) (id string, ok bool) {
	var number json.Number
	if json.Unmarshal(raw, &id) != nil && json.Unmarshal(raw, &number) == nil {
		id = number.String()
	}
	return id, id != ""
}

// arrived finds out which parents of the groups are at the destination.
func (a *Activities) arrived(ctx context.Context, name string, groups []group) (map[event.RecordKey]bool, error) {
	there := make(map[event.RecordKey]bool)
	var keys []event.RecordKey
	for _, g := range groups {
		for _, p := range g.parts {
			for _, parent := range p.parents {
				if _, asked := there[parent.key]; !asked {
					there[parent.key] = false
					keys = append(keys, parent.key)
				}
			}
		}
	}
	for len(keys) > 0 {
		n := min(len(keys), lookupAtOnce)
		found, err := a.store.Arrived(ctx, name, keys[:n])
		if err != nil {
			return nil, fmt.Errorf("find parents at %s: %w", name, err)
		}
		for _, key := range found {
			there[key] = true
		}
		keys = keys[n:]
	}
	return there, nil
}

// hold takes those out of the group whose parents are not at the destination,
// and gives them their outcome.
func (a *Activities) hold(name string, d Destination, g group, there map[event.RecordKey]bool) (group, []ledger.Outcome) {
	var outcomes []ledger.Outcome
	free := group{model: g.model, batch: g.batch}
	free.batch.Records = nil
	for i, p := range g.parts {
		var missing []parent
		for _, parent := range p.parents {
			if !there[parent.key] {
				missing = append(missing, parent)
			}
		}
		if len(missing) == 0 {
			free.parts = append(free.parts, p)
			free.batch.Records = append(free.batch.Records, g.batch.Records[i])
			continue
		}
		outcomes = append(outcomes, a.blocked(name, d, p.item, missing, ledger.Outcome{
			ErrorKind: "dependency", Code: errorParentMissing,
			Message: fmt.Sprintf("waits for its parent: the record of %s that %s names is not at %s", missing[0].key.Model, missing[0].field, name),
		}))
	}
	return free, outcomes
}

// blocked lets a delivery wait for its parents, or gives it up when it has
// waited as long as a failing one may be retried. It looks again now and then:
// what it waits for may have come another way.
func (a *Activities) blocked(name string, d Destination, item ledger.Delivery, parents []parent, o ledger.Outcome) ledger.Outcome {
	now := fault.Now()
	o.DeliveryID, o.Result = item.ID, ledger.OutcomeBlocked
	for _, p := range parents {
		o.Parents = append(o.Parents, p.key)
	}
	waited := time.Duration(0)
	if !item.Blocked.IsZero() {
		waited = now.Sub(item.Blocked)
		if waited >= d.MaxElapsed {
			o.Result, o.ErrorKind = ledger.OutcomeDead, errorParentMissing
		}
	}
	// Longer and longer, and not past the end of the wait.
	wait := min(max(waited, d.InitialInterval), d.MaxInterval, max(d.MaxElapsed-waited, 0))
	if at := now.Add(wait); at.After(o.RetryAt) {
		o.RetryAt = at
	}
	a.settled(name, item, o)
	return o
}

// settled counts an outcome, and logs one that gives up.
func (a *Activities) settled(name string, item ledger.Delivery, o ledger.Outcome) {
	a.metrics.settled(name, o)
	if o.Result == ledger.OutcomeDead {
		a.log.Warn("delivery given up", "destination", name, "route", item.Route, "kind", item.Kind,
			"error_kind", o.ErrorKind, "code", o.Code, "attempts", item.Attempts+1)
	}
}
