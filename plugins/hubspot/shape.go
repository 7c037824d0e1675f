package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

// versionProperty holds the version of the record that was written last. It is
// text: HubSpot's numbers may not hold 64 bits.
const versionProperty = "sluice_version"

// writing is one Write.
type writing struct {
	*hubspot
	batch   *destination.Batch
	results []destination.Result
	key     string // property
	items   []*item
	stopped error // nothing more is sent
}

// item is what HubSpot will hold of one key: the newest record of the batch.
type item struct {
	record  *destination.Record
	indexes []int // of all records with the key
	id      string
	trace   string
	// properties are all of the record, changed those that an update must send.
	properties map[string]string
	changed    map[string]bool
	recordID   string // HubSpot's, once it is known
	associate  bool
}

// shape makes the items. HubSpot refuses a batch that has a key twice.
func (w *writing) shape() {
	byID := map[string]*item{}
	for i := range w.batch.Records {
		r := &w.batch.Records[i]
		id, err := w.keyOf(r)
		if err == nil && r.Operation != destination.Upsert && r.Operation != destination.Delete {
			err = fmt.Errorf("operation %q is not known", r.Operation)
		}
		if err != nil {
			w.results[i] = rejected(err)
			continue
		}
		it := byID[id]
		if it == nil {
			it = &item{record: r, id: id, trace: "sluice-" + strconv.Itoa(i)}
			byID[id] = it
			w.items = append(w.items, it)
		}
		it.indexes = append(it.indexes, i)
		if r.Version >= it.record.Version {
			it.record = r
		}
	}
}

// keyOf is the value of the key property: the parts of the key with colons
// between them. Colons within are escaped, so that no two keys meet.
func (w *writing) keyOf(r *destination.Record) (string, error) {
	if len(r.Key) != len(w.batch.KeyFields) {
		return "", fmt.Errorf("the record has %d key values for %d key fields", len(r.Key), len(w.batch.KeyFields))
	}
	id := r.Key[0]
	if len(r.Key) > 1 {
		parts := make([]string, len(r.Key))
		for i, part := range r.Key {
			parts[i] = strings.NewReplacer("%", "%25", ":", "%3A").Replace(part)
		}
		id = strings.Join(parts, ":")
	}
	if id == "" {
		return "", errors.New("the key is empty")
	}
	return id, nil
}

// wanted are the properties that the batch needs beside the key, and how those
// that are missing are made.
func (w *writing) wanted() map[string]kind {
	out := map[string]kind{versionProperty: kinds["text"]}
	if len(w.batch.KeyFields) > 1 {
		for _, field := range w.batch.KeyFields {
			if name, err := propertyName(field); err == nil {
				out[name] = kinds["text"]
			}
		}
	}
	for _, it := range w.items {
		if it.record.Operation != destination.Upsert {
			continue
		}
		for field := range it.record.Fields {
			name, err := propertyName(field)
			if err != nil {
				continue // the record is rejected
			}
			if _, there := out[name]; there || name == w.key {
				continue
			}
			out[name] = kindOf(w.batch.Types[field])
			if word, ok := w.client.options.PropertyTypes[name]; ok {
				out[name] = kinds[word]
			}
		}
	}
	return out
}

// encode makes the values. An item that has one that cannot be sent gets its
// result and is left out.
func (w *writing) encode(items []*item, types map[string]string) []*item {
	out := make([]*item, 0, len(items))
	for _, it := range items {
		if err := w.encodeOne(it, types); err != nil {
			w.settle(it, rejected(err))
			continue
		}
		out = append(out, it)
	}
	return out
}

func (w *writing) encodeOne(it *item, types map[string]string) error {
	if it.record.Operation == destination.Delete {
		return nil
	}
	it.properties, it.changed = map[string]string{}, map[string]bool{}
	for field, value := range it.record.Fields {
		name, err := propertyName(field)
		if err != nil {
			return err
		}
		if _, twice := it.properties[name]; twice {
			return fmt.Errorf("two fields of the record are the property %s", name)
		}
		if it.properties[name], err = encode(value, types[name]); err != nil {
			return fmt.Errorf("field %s: %w", field, err)
		}
		it.changed[name] = slices.Contains(it.record.Changed, field)
	}
	own := map[string]string{w.key: it.id, versionProperty: strconv.FormatInt(it.record.Version, 10)}
	if len(w.batch.KeyFields) > 1 {
		for i, field := range w.batch.KeyFields {
			name, err := propertyName(field)
			if err != nil {
				return err
			}
			own[name] = it.record.Key[i]
		}
	}
	for name, value := range own {
		it.properties[name], it.changed[name] = value, true
	}
	return nil
}

// isFirst reports whether Sluice has not delivered the record before, as far as
// its ledger knows.
func (it *item) isFirst() bool {
	return it.record.Operation == destination.Upsert && len(it.record.Changed) >= len(it.record.Fields)
}

// settle gives all records of an item their result.
func (w *writing) settle(it *item, r destination.Result) {
	if r.Code == codeUnknownProperty && w.client.options.Properties == propertiesCreate {
		// Somebody has removed it: the next try makes it again.
		w.schemas.forget(w.batch.Object)
		r.Kind = destination.Retry
	}
	r.ExternalID = it.recordID
	for _, i := range it.indexes {
		w.results[i] = r
	}
}

// fail gives items the result of an error, which holds for whatever would be
// sent next too.
func (w *writing) fail(items []*item, err error) {
	w.stopped = err
	for _, it := range items {
		w.settle(it, w.client.result(err))
	}
}

func (w *writing) deliver(it *item) { w.settle(it, destination.Result{Kind: destination.Delivered}) }
