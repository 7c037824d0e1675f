package activities

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// group is one call to the plugin: the deliveries of one object and mode, in
// step with the records of the batch.
type group struct {
	items []ledger.Delivery
	batch destination.Batch
}

var recordKeyFields = []string{"_company_id", "_integration_type", "_platform_id"}

// batches sorts what was claimed into calls. Deliveries that cannot be built
// are given their outcome right away.
func (a *Activities) batches(settings *Settings, items []ledger.Delivery) ([]group, []ledger.Outcome) {
	type groupKey struct {
		mode   destination.Mode
		object string
	}
	var groups []group
	var broken []ledger.Outcome
	index := make(map[groupKey]int)
	parsed := make(map[int64]map[int64]event.Change) // by event, by position
	for _, item := range items {
		mode, keyFields, record, err := a.record(item, parsed)
		if err != nil {
			broken = append(broken, ledger.Outcome{
				DeliveryID: item.ID, Result: ledger.OutcomeDead,
				ErrorKind: "unreadable", Code: "unreadable", Message: err.Error(),
			})
			continue
		}
		k := groupKey{mode, object(settings, item.Route, mode, record.Origin.Model)}
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, group{batch: destination.Batch{
				Mode: mode, Object: k.object, KeyFields: keyFields, Types: a.types(item, record.Origin.Model),
			}})
		}
		groups[i].items = append(groups[i].items, item)
		groups[i].batch.Records = append(groups[i].batch.Records, record)
	}
	return groups, broken
}

func (a *Activities) types(item ledger.Delivery, model string) map[string]destination.FieldType {
	format := "rootfi"
	if item.Event != nil {
		format, _, _ = strings.Cut(item.Event.Format, "/")
	}
	if p, ok := a.payloads[format]; ok && model != "" {
		return p.FieldTypes(model)
	}
	return nil
}

func (a *Activities) record(item ledger.Delivery, parsed map[int64]map[int64]event.Change) (destination.Mode, []string, destination.Record, error) {
	switch item.Kind {
	case ledger.DeliverRecord:
		return destination.ModeRecords, recordKeyFields, mergedRecord(item), nil
	case ledger.DeliverChange:
		r, err := a.changeRecord(item, parsed)
		return destination.ModeChanges, recordKeyFields, r, err
	default:
		r, err := eventRecord(item)
		return destination.ModeEvents, []string{"_event_id"}, r, err
	}
}

func mergedRecord(item ledger.Delivery) destination.Record {
	r := item.Record
	stamp := r.Written
	out := destination.Record{
		Key:            []string{r.Key.CompanyID, r.Key.Integration, r.Key.PlatformID},
		Operation:      destination.Upsert,
		Version:        r.Version,
		Fields:         r.Visible(),
		IdempotencyKey: fmt.Sprintf("%s@%d", r.Key, r.Version),
		Origin:         origin(r.Key),
	}
	if r.Deleted() {
		out.Operation = destination.Delete
		stamp = r.Tombstone
	} else {
		out.Changed = r.ChangedSince(item.Delivered)
	}
	out.OccurredAt = time.UnixMicro(stamp.At).UTC()
	return out
}

func origin(k event.RecordKey) destination.Origin {
	return destination.Origin{
		Source: k.Source, CompanyID: k.CompanyID, Integration: k.Integration, Model: k.Model, PlatformID: k.PlatformID,
	}
}

func (a *Activities) changeRecord(item ledger.Delivery, parsed map[int64]map[int64]event.Change) (destination.Record, error) {
	ev := item.Event
	byIndex, ok := parsed[ev.Seq]
	if !ok {
		changes, _, err := a.changes(*ev)
		if err != nil {
			return destination.Record{}, err
		}
		byIndex = make(map[int64]event.Change, len(changes))
		for _, c := range changes {
			byIndex[c.Stamp.Index] = c
		}
		parsed[ev.Seq] = byIndex
	}
	c, ok := byIndex[int64(item.Index)]
	if !ok {
		return destination.Record{}, fmt.Errorf("event %s has no change at position %d", ev.ID, item.Index)
	}
	o := origin(c.Key)
	o.EventID, o.EventKind, o.Operation = ev.ID, string(ev.Kind), string(c.Operation)
	return destination.Record{
		Key:            []string{c.Key.CompanyID, c.Key.Integration, c.Key.PlatformID},
		Operation:      destination.Append,
		Version:        ev.Seq,
		Fields:         c.Fields,
		IdempotencyKey: fmt.Sprintf("%s/%s#%d", ev.Source, ev.ID, item.Index),
		OccurredAt:     ev.Time().UTC(),
		Origin:         o,
	}, nil
}

func eventRecord(item ledger.Delivery) (destination.Record, error) {
	ev := item.Event
	fields := make(map[string]json.RawMessage)
	// The endpoint accepts what has a byte order mark; JSON does not.
	body := bytes.TrimSpace(bytes.TrimPrefix(ev.Body, []byte("\xef\xbb\xbf")))
	if len(body) > 0 && body[0] == '{' {
		if err := json.Unmarshal(body, &fields); err != nil {
			return destination.Record{}, fmt.Errorf("event %s: %w", ev.ID, err)
		}
	} else {
		fields["body"] = json.RawMessage(body)
	}
	return destination.Record{
		Key:            []string{ev.ID},
		Operation:      destination.Append,
		Version:        ev.Seq,
		Fields:         fields,
		IdempotencyKey: ev.Source + "/" + ev.ID,
		OccurredAt:     ev.Time().UTC(),
		Origin: destination.Origin{
			Source: ev.Source, CompanyID: ev.CompanyID, Integration: ev.Integration,
			Model: ev.Model, EventID: ev.ID, EventKind: string(ev.Kind),
		},
	}, nil
}
