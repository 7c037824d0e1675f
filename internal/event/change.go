package event

import (
	"cmp"
	"encoding/json"
	"strings"
)

// RecordKey is the identity of a record.
type RecordKey struct {
	Source      string
	CompanyID   string
	Integration string
	Model       string
	PlatformID  string
}

// String renders the key for humans and ids: source/company/integration/model/platform id.
func (k RecordKey) String() string {
	return strings.Join([]string{k.Source, k.CompanyID, k.Integration, k.Model, k.PlatformID}, "/")
}

// Stamp orders changes to one record. The larger stamp wins, field by field.
type Stamp struct {
	At    int64 // microseconds since the Unix epoch
	Seq   int64 // ledger sequence of the event
	Index int64 // position within the event's data
}

// Compare returns -1, 0 or +1 as s is smaller than, equal to or larger than t.
func (s Stamp) Compare(t Stamp) int {
	if c := cmp.Compare(s.At, t.At); c != 0 {
		return c
	}
	if c := cmp.Compare(s.Seq, t.Seq); c != 0 {
		return c
	}
	return cmp.Compare(s.Index, t.Index)
}

// After reports whether s is larger than t.
func (s Stamp) After(t Stamp) bool { return s.Compare(t) > 0 }

// IsZero reports whether s was never set.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Change is one element of a data-model event: a partial record with an operation.
type Change struct {
	Key       RecordKey
	Operation Operation
	Stamp     Stamp
	// Fields holds what the change says. An absent name says nothing; a JSON
	// null sets null. Values must be canonical (see [Canonical]): the merge
	// compares bytes.
	Fields map[string]json.RawMessage
}
