package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// object is where the suite writes unless it needs two.
const object = "invoices"

func keyFields() []string { return []string{"_company_id", "_integration_type", "_platform_id"} }

// types are the catalog's; a field that is not among them is untyped.
func types() map[string]destination.FieldType {
	return map[string]destination.FieldType{
		"memo":     destination.TypeText,
		"note":     destination.TypeText,
		"amount":   destination.TypeNumber,
		"units":    destination.TypeNumber,
		"paid":     destination.TypeBoolean,
		"due_at":   destination.TypeTimestamp,
		"lines":    destination.TypeJSON,
		"_deleted": destination.TypeBoolean,
	}
}

func records(list ...destination.Record) destination.Batch {
	return destination.Batch{
		Mode:      destination.ModeRecords,
		Object:    object,
		KeyFields: keyFields(),
		Types:     types(),
		Records:   list,
	}
}

// put is an upsert; fields is a JSON object.
func put(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key:            []string{"4711", "XERO", id},
		Operation:      destination.Upsert,
		Version:        version,
		Fields:         map[string]json.RawMessage{},
		IdempotencyKey: fmt.Sprintf("%s/%d", id, version),
		OccurredAt:     time.Date(2026, 3, 1, 12, 0, int(version%60), 0, time.UTC),
		Origin: destination.Origin{
			Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id,
		},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(fmt.Errorf("fields of the suite: %w", err))
	}
	r.Changed = slices.Sorted(maps.Keys(r.Fields))
	return r
}

// changed limits an upsert's changed fields.
func changed(r destination.Record, names ...string) destination.Record {
	r.Changed = names
	return r
}

// drop is a delete with the last values known.
func drop(id string, version int64, fields string) destination.Record {
	r := put(id, version, fields)
	r.Operation = destination.Delete
	r.Changed = nil
	return r
}

// quote is a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // a string always marshals
		panic(err)
	}
	return string(b)
}
