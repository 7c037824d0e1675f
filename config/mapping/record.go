package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/plugins/destination"
)

// The key of a record where a mapping names no other, and the last part of the
// key of an element of one of its lists.
var recordKey = []string{"_company_id", "_integration_type", "_platform_id"}

const itemKey = "_item"

// Call says to which call of a plugin a record belongs, and describes the call.
type Call struct {
	Mode      destination.Mode
	Object    string
	KeyFields []string
	Types     map[string]destination.FieldType // shared: do not change it
}

// Part is one record for a plugin.
type Part struct {
	Call
	Record destination.Record
}

// Merged is what there is to know of a record that is to be delivered.
type Merged struct {
	Record    *event.Record
	Delivered int64 // the version that the destination has; 0 = nothing yet
	// Children are the elements of its lists that the destination may have, by
	// object.
	Children Children
	Lookup   expr.Lookup // for related(); nil finds nothing
}

// Children are elements of lists: their ids, by object.
type Children map[string][]string

// Output is what a destination gets of a record.
type Output struct {
	Part
	// Children go after the record was delivered: elements of its lists, and the
	// deletion of those that are gone.
	Children []Part
	// Now are the elements that the destination has when all of it is delivered.
	Now Children
}

// Failure says why a mapping gives nothing for a record. Its text holds no
// values.
type Failure struct {
	Field string
	Err   error
}

func (f *Failure) Error() string { return fmt.Sprintf("mapping of %s: %v", f.Field, f.Err) }

func (f *Failure) Unwrap() error { return f.Err }

// Record maps the merged state of a record. An error is a [*Failure].
func (p *Plan) Record(in Merged) (Output, error) {
	r := in.Record
	vars := &expr.Vars{Key: r.Key, Record: expr.NewRecord(r), Lookup: in.Lookup}
	fields, err := p.fields.apply(vars.Record, vars)
	if err != nil {
		return Output{}, err
	}
	key, names, err := p.keyOf(r.Key, fields)
	if err != nil {
		return Output{}, err
	}
	stamp := r.Written
	rec := destination.Record{
		Key: key, Operation: destination.Upsert, Version: r.Version, Fields: fields,
		IdempotencyKey: r.Key.String() + "@" + strconv.FormatInt(r.Version, 10), Origin: origin(r.Key),
	}
	if r.Deleted() {
		rec.Operation = destination.Delete
		stamp = r.Tombstone
	} else {
		rec.Changed = p.fields.changed(r.ChangedSince(in.Delivered), fields)
	}
	rec.OccurredAt = time.UnixMicro(stamp.At).UTC()
	out := Output{Part: Part{
		Call: Call{destination.ModeRecords, p.objectOf(destination.ModeRecords, r.Key.Model), names, p.typesFor(r.Key.Model)}, Record: rec,
	}}
	if len(p.children) == 0 && len(in.Children) == 0 {
		return out, nil
	}
	return out, p.expand(&out, in, vars)
}

// Change maps one change as it came. Its lists are not expanded.
func (p *Plan) Change(ev *event.Event, c event.Change) (Part, error) {
	change := expr.NewObject(c.Key.Model, c.Fields)
	fields, err := p.fields.apply(change, &expr.Vars{Key: c.Key, Event: ev, Record: change, Change: change})
	if err != nil {
		return Part{}, err
	}
	o := origin(c.Key)
	o.EventID, o.EventKind, o.Operation = ev.ID, string(ev.Kind), string(c.Operation)
	key, names, err := p.keyOf(c.Key, fields)
	if err != nil {
		return Part{}, err
	}
	return Part{
		Call: Call{destination.ModeChanges, p.objectOf(destination.ModeChanges, c.Key.Model), names, p.typesFor(c.Key.Model)},
		Record: destination.Record{
			Key: key, Operation: destination.Append, Version: ev.Seq, Fields: fields,
			IdempotencyKey: fmt.Sprintf("%s/%s#%d", ev.Source, ev.ID, c.Stamp.Index), OccurredAt: ev.Time().UTC(), Origin: o,
		},
	}, nil
}

// Event is an event without records, delivered as a whole.
func (p *Plan) Event(ev *event.Event) (Part, error) {
	fields := make(map[string]json.RawMessage)
	// The endpoint accepts what has a byte order mark; JSON does not.
	body := bytes.TrimSpace(bytes.TrimPrefix(ev.Body, []byte("\xef\xbb\xbf")))
	if len(body) > 0 && body[0] == '{' {
		if err := json.Unmarshal(body, &fields); err != nil {
			return Part{}, fmt.Errorf("event %s: %w", ev.ID, err)
		}
	} else {
		fields["body"] = json.RawMessage(body)
	}
	return Part{
		Call: Call{Mode: destination.ModeEvents, Object: p.objectOf(destination.ModeEvents, ""), KeyFields: []string{"_event_id"}},
		Record: destination.Record{
			Key: []string{ev.ID}, Operation: destination.Append, Version: ev.Seq, Fields: fields,
			IdempotencyKey: ev.Source + "/" + ev.ID, OccurredAt: ev.Time().UTC(),
			Origin: destination.Origin{
				Source: ev.Source, CompanyID: ev.CompanyID, Integration: ev.Integration,
				Model: ev.Model, EventID: ev.ID, EventKind: string(ev.Kind),
			},
		},
	}, nil
}

// objectOf is the table or object at the destination of what is delivered.
func (p *Plan) objectOf(mode destination.Mode, model string) string {
	switch {
	case p.object != "":
		return p.object
	case mode == destination.ModeEvents:
		return "events"
	case model == "":
		return "unknown"
	default:
		return strings.ToLower(model)
	}
}

// keyOf takes the key out of the fields, or makes that of the record.
func (p *Plan) keyOf(k event.RecordKey, fields map[string]json.RawMessage) (key, names []string, err error) {
	if p.key == nil {
		return []string{k.CompanyID, k.Integration, k.PlatformID}, recordKey, nil
	}
	key = make([]string, len(p.key))
	for i, name := range p.key {
		text, ok := keyText(fields[name])
		if !ok {
			return nil, nil, &Failure{name, errKey}
		}
		key[i] = text
		delete(fields, name)
	}
	return key, p.key, nil
}

var errKey = fmt.Errorf("a part of the key is missing, null, or not a text or number")

func keyText(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	switch c := raw[0]; {
	case c == '"':
		if len(raw) > 2 && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) { // the text as it is
			return string(raw[1 : len(raw)-1]), true
		}
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil && s != ""
	case c == '-' || c >= '0' && c <= '9':
		return string(raw), true
	}
	return "", false
}

func origin(k event.RecordKey) destination.Origin {
	return destination.Origin{
		Source: k.Source, CompanyID: k.CompanyID, Integration: k.Integration, Model: k.Model, PlatformID: k.PlatformID,
	}
}

// apply makes the fields of a destination.
func (s *shape) apply(from *expr.Object, vars *expr.Vars) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if s.pass != nil {
		all = from.Fields()
	}
	out := make(map[string]json.RawMessage, len(all)+len(s.named)+len(s.constants))
	if s.pass != nil {
		for name, value := range all {
			if target, ok := s.passes(name); ok {
				out[target] = value
			}
		}
	}
	var values []byte // of all expressions, one after another
	for i := range s.named {
		n := &s.named[i]
		if n.source != "" {
			// A field that the source never spoke of is not cleared.
			if value, ok := vars.Record.Raw(n.source); ok {
				out[n.target] = value
			} else {
				delete(out, n.target)
			}
			continue
		}
		if values == nil {
			values = make([]byte, 0, 24*len(s.named)) // most values are short
		}
		begin := len(values)
		var err error
		if values, err = n.value.AppendJSON(values, vars); err != nil {
			return nil, &Failure{n.target, err}
		}
		out[n.target] = values[begin:len(values):len(values)]
	}
	for name, value := range s.constants {
		out[name] = value
	}
	return out, nil
}

// changed names the fields at the destination that may differ from what it has:
// of an expression that is not known.
func (s *shape) changed(sources []string, fields map[string]json.RawMessage) []string {
	if s.pass != nil && len(s.named)+len(s.constants) == 0 && s.pass.rename == nil && s.pass.include == nil && s.exclude == nil {
		return sources
	}
	out := make([]string, 0, len(sources)+len(s.named)+len(s.constants))
	for _, name := range sources {
		if target, ok := s.passes(name); ok {
			out = append(out, target)
		}
		out = append(out, s.bySource[name]...)
	}
	out = append(out, s.always...)
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(name string) bool { _, there := fields[name]; return !there })
}

// typesFor are the types of the fields at the destination.
func (p *Plan) typesFor(model string) map[string]destination.FieldType {
	if got, ok := p.types.Load(model); ok {
		return got.(map[string]destination.FieldType)
	}
	known := expr.FieldTypes(model)
	if known == nil {
		model = "" // names of models come from outside: those unknown share an entry
		if got, ok := p.types.Load(model); ok {
			return got.(map[string]destination.FieldType)
		}
	}
	out := p.fields.typesOf(typed(known), expr.Scope{Model: model})
	for _, name := range p.key {
		delete(out, name)
	}
	p.types.Store(model, out)
	return out
}

func typed(known map[string]string) map[string]destination.FieldType {
	out := make(map[string]destination.FieldType, len(known))
	for name, t := range known {
		out[name] = destination.FieldType(t)
	}
	return out
}
