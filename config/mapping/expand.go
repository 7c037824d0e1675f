package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/plugins/destination"
)

var (
	errList  = errors.New("is not a list")
	errItem  = errors.New("an element of the list is not an object")
	errID    = errors.New("an element of the list has no id")
	errTwice = errors.New("two elements of the list have the same id")
)

// expand makes records of the elements of lists, and deletions of those that the
// destination may have and the record has not any more.
func (p *Plan) expand(out *Output, in Merged, vars *expr.Vars) error {
	out.Now = make(Children)
	callOf := make(map[string]Call)
	keyFields := append(slices.Clip(out.KeyFields), itemKey)
	for i := range p.children {
		c := &p.children[i]
		object := c.object
		if object == "" {
			object = out.Object + "_" + c.field
		}
		callOf[object] = Call{destination.ModeRecords, object, keyFields, p.childTypes(c, in.Record.Key.Model)}
		if in.Record.Deleted() {
			continue
		}
		raw, _ := vars.Record.Raw(c.field)
		if err := c.expand(out, callOf[object], raw, vars); err != nil {
			return err
		}
	}
	// Objects that the mapping does not have any more keep what they have: a
	// destination is not emptied by a change of the configuration.
	for _, object := range slices.Sorted(maps.Keys(in.Children)) {
		call, mapped := callOf[object]
		if !mapped {
			out.Now[object] = in.Children[object]
			continue
		}
		now := make(map[string]bool, len(out.Now[object]))
		for _, id := range out.Now[object] {
			now[id] = true
		}
		for _, id := range in.Children[object] {
			if !now[id] {
				r := out.childRecord(id)
				r.Operation = destination.Delete
				out.Children = append(out.Children, Part{call, r})
			}
		}
	}
	return nil
}

// childRecord is a record of an element, without its fields.
func (out *Output) childRecord(id string) destination.Record {
	r := out.Record
	r.Key = append(slices.Clip(r.Key), id)
	r.Fields, r.Changed, r.Operation = nil, nil, destination.Upsert
	r.IdempotencyKey = fmt.Sprintf("%s#%s", r.IdempotencyKey, id)
	return r
}

func (c *child) expand(out *Output, call Call, raw json.RawMessage, vars *expr.Vars) error {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); len(raw) > 0 && err != nil {
		return &Failure{c.field, errList}
	}
	seen := make(map[string]bool, len(items))
	for i, item := range items {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(item, &fields); err != nil || fields == nil {
			return &Failure{c.field, errItem}
		}
		id := strconv.Itoa(i)
		if c.id != "" {
			text, ok := keyText(fields[c.id])
			if !ok {
				return &Failure{c.field, errID}
			}
			id = text
		}
		if seen[id] {
			return &Failure{c.field, errTwice}
		}
		seen[id] = true
		of := *vars
		of.Item, of.Index = expr.NewObject(config.ItemModel(vars.Key.Model, c.field), fields), i
		mapped, err := c.fields.apply(of.Item, &of)
		if err != nil {
			return err
		}
		r := out.childRecord(id)
		r.Fields, r.Changed = mapped, slices.Sorted(maps.Keys(mapped))
		out.Children = append(out.Children, Part{call, r})
		out.Now[call.Object] = append(out.Now[call.Object], id)
	}
	return nil
}

func (p *Plan) childTypes(c *child, model string) map[string]destination.FieldType {
	key := model + "\x00" + c.field
	if got, ok := p.types.Load(key); ok {
		return got.(map[string]destination.FieldType)
	}
	if expr.FieldTypes(model) == nil {
		model, key = "", "\x00"+c.field
	}
	item := config.ItemModel(model, c.field)
	out := c.fields.typesOf(typed(expr.FieldTypes(item)), expr.Scope{Model: model, Item: item})
	p.types.Store(key, out)
	return out
}
