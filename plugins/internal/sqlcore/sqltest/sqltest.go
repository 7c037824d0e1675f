// Package sqltest is what every SQL destination must show beyond the contract
// that package destinationtest tests: tables that grow and widen under several
// processes, and versions that never go back.
package sqltest

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Place is a new and empty database.
type Place struct {
	// Open returns another destination for the place, configured, with the given
	// setting delete. It is closed with t.
	Open func(t *testing.T, remove string) destination.Destination
	// Rows reads a table: values as text in any usual form, null left out.
	Rows func(t *testing.T, table string) []map[string]string
	// Exec does what somebody else might do to the database.
	Exec func(t *testing.T, statements ...string)
	// Table quotes a table's name with its schema.
	Table func(name string) string

	// FixedScale says that numbers come back with other zeros at their end than
	// they came with.
	FixedScale bool
	// SoftOnly says that deleted rows cannot be removed.
	SoftOnly bool
	// Engine is what a CREATE TABLE of the database must end with.
	Engine string
	// Hold returns what keeps a column of a table from being widened, and what
	// lets go of it; nothing, where nothing can. Nil is a view.
	Hold func(table, column string) (hold, release []string)
	// Forbid returns what makes the database refuse rows with the memo "bad". Nil
	// is a unique index over one value.
	Forbid func(table string) string
}

// removes are the settings of delete that the database has.
func (p Place) removes() []string {
	if p.SoftOnly {
		return []string{"soft"}
	}
	return []string{"soft", "hard"}
}

// number is a value as it is compared.
func (p Place) number(value string) string {
	if p.FixedScale && decimal.MatchString(value) {
		return strings.TrimRight(strings.TrimRight(value, "0"), ".")
	}
	return value
}

var decimal = regexp.MustCompile(`^-?[0-9]+\.[0-9]+$`)

// Run tests destinations at places that newPlace makes.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, Place){
		"any order ends the same":         anyOrder,
		"writers out of order":            writersOutOfOrder,
		"racing changes of tables":        racingTables,
		"widening":                        widening,
		"a column that cannot be widened": refusedWidening,
		"columns":                         columns,
		"names":                           names,
		"many fields":                     manyFields,
		"absent and null":                 absentAndNull,
		"null after another's value":      nullAfterAnother,
		"text that no database takes":     awkwardText,
		"a table that changes":            changingTable,
		"a table of somebody else":        foreignTable,
		"one bad record of many":          badRecords,
		"older record of a bad one":       olderOfBad,
		"tombstones outlive the setting":  tombstones,
		"events":                          events,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			if name == "tombstones outlive the setting" && p.SoftOnly {
				t.Log("there are none: rows are not removed")
				return
			}
			run(t, p)
		})
	}
}

var keyFields = []string{"_company_id", "_integration_type", "_platform_id"}

func batch(object string, list ...destination.Record) destination.Batch {
	return destination.Batch{
		Mode: destination.ModeRecords, Object: object, KeyFields: keyFields, Records: list,
		Types: map[string]destination.FieldType{
			"amount": destination.TypeNumber, "due_at": destination.TypeTimestamp, "memo": destination.TypeText,
			"paid": destination.TypeBoolean, "lines": destination.TypeJSON,
		},
	}
}

// put is an upsert; fields is a JSON object.
func put(id string, version int64, fields string) destination.Record {
	r := destination.Record{
		Key: []string{"4711", "XERO", id}, Operation: destination.Upsert, Version: version,
		Fields: map[string]json.RawMessage{}, IdempotencyKey: id + "@" + strconv.FormatInt(version, 10),
		OccurredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(version) * time.Second),
		Origin: destination.Origin{
			Source: "rootfi", CompanyID: "4711", Integration: "XERO", Model: "INVOICES", PlatformID: id,
		},
	}
	if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
		panic(err)
	}
	r.Changed = slices.Sorted(maps.Keys(r.Fields))
	return r
}

func drop(id string, version int64, fields string) destination.Record {
	r := put(id, version, fields)
	r.Operation, r.Changed = destination.Delete, nil
	return r
}

// write returns the kind of each result.
func write(t *testing.T, d destination.Destination, b destination.Batch) []destination.Result {
	t.Helper()
	results, err := d.Write(t.Context(), b)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	if len(results) != len(b.Records) {
		t.Fatalf("%d results for %d records", len(results), len(b.Records))
	}
	return results
}

func deliver(t *testing.T, d destination.Destination, b destination.Batch) {
	t.Helper()
	for i, r := range write(t, d, b) {
		if r.Kind != destination.Delivered {
			t.Fatalf("record %d (%q): %v %s: %s", i, b.Records[i].Key, r.Kind, r.Code, r.Message)
		}
	}
}

// state is a table by platform id, without the times of writing.
func (p Place) state(t *testing.T, table string) map[string]map[string]string {
	t.Helper()
	out := map[string]map[string]string{}
	for _, r := range p.Rows(t, table) {
		id := r["_platform_id"]
		if out[id] != nil {
			t.Errorf("two rows of %q", id)
		}
		for _, name := range append([]string{"_synced_at"}, keyFields...) {
			if r[name] == "" {
				t.Errorf("row %q has no %s", id, name)
			}
			delete(r, name)
		}
		for name, value := range r {
			r[name] = p.number(value)
		}
		out[id] = r
	}
	return out
}

// want compares one row; names that the row must not have are given as "".
func (p Place) want(t *testing.T, table, id string, want map[string]string) {
	t.Helper()
	row := p.state(t, table)[id]
	if row == nil {
		t.Errorf("no row %q", id)
	}
	for name, value := range want {
		if row[name] != p.number(value) {
			t.Errorf("row %q: %s = %q, want %q", id, name, row[name], value)
		}
	}
}
