// Package part makes files of batches: the records of one write, for places that
// take files only whole (object stores, Parquet). A part has a name that follows
// from its records, so that a repeated batch replaces its file instead of adding
// one. Readers take the row with the largest version of each key, and one row of
// each idempotency key.
package part

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
)

// The system columns, beside the key fields. They are public; only add to them.
const (
	columnVersion        = "_version"  // merged records
	columnDeleted        = "_deleted"  // merged records
	columnSequence       = "_sequence" // changes and events
	columnOperation      = "_operation"
	columnEventID        = "_event_id"
	columnEventKind      = "_event_kind"
	columnFields         = "_fields"
	columnOccurredAt     = "_occurred_at"
	columnIdempotencyKey = "_idempotency_key"
	columnSource         = "_source"
	columnCompanyID      = "_company_id"
	columnIntegration    = "_integration_type"
	columnModel          = "_model"
	columnPlatformID     = "_platform_id"
)

var systemKinds = map[string]parquetfile.Kind{
	columnVersion: parquetfile.Integer, columnDeleted: parquetfile.Boolean, columnSequence: parquetfile.Integer,
	columnOperation: parquetfile.Text, columnEventID: parquetfile.Text, columnEventKind: parquetfile.Text,
	columnFields: parquetfile.JSON, columnOccurredAt: parquetfile.Timestamp, columnIdempotencyKey: parquetfile.Text,
	columnSource: parquetfile.Text, columnCompanyID: parquetfile.Text, columnIntegration: parquetfile.Text,
	columnModel: parquetfile.Text, columnPlatformID: parquetfile.Text,
}

var (
	recordColumns = []string{
		columnVersion, columnDeleted, columnOccurredAt, columnIdempotencyKey,
		columnSource, columnCompanyID, columnIntegration, columnModel, columnPlatformID,
	}
	appendColumns = []string{
		columnSequence, columnOperation, columnEventID, columnEventKind, columnFields, columnOccurredAt, columnIdempotencyKey,
		columnSource, columnCompanyID, columnIntegration, columnModel, columnPlatformID,
	}
)

// Part is the rows of one file. All records are of one batch.
type Part struct {
	mode    destination.Mode
	object  string
	key     []string
	system  []string // without those that are key fields
	types   map[string]destination.FieldType
	decimal parquetfile.Decimal
	parquet bool
	rows    map[string]row // by identity
}

type row struct {
	id      string // tells rows apart that are not of one write
	key     string // for the order in the file
	version int64
	cells   parquetfile.Row
}

// Form is the format of a file.
type Form struct {
	Parquet bool // else JSONL
	Decimal parquetfile.Decimal
}

// New makes an empty part for records of a batch.
func New(b *destination.Batch, f Form) *Part {
	p := &Part{
		mode: b.Mode, object: b.Object, key: b.KeyFields, types: b.Types, decimal: f.Decimal, parquet: f.Parquet, rows: map[string]row{},
	}
	columns := appendColumns
	if p.mode == destination.ModeRecords {
		columns = recordColumns
	}
	for _, name := range columns {
		if !slices.Contains(p.key, name) {
			p.system = append(p.system, name)
		}
	}
	return p
}

// Add takes a record in. An error is the record's own fault and names no values;
// nothing of it is in the part then.
func (p *Part) Add(r *destination.Record) error {
	if len(r.Key) != len(p.key) {
		return fmt.Errorf("the record has %d key values for %d key fields", len(r.Key), len(p.key))
	}
	appends := p.mode != destination.ModeRecords
	merged := r.Operation == destination.Upsert || r.Operation == destination.Delete
	if appends && r.Operation != destination.Append || !appends && !merged {
		return errors.New("the record's operation does not fit the mode of its batch; is the plugin too old?")
	}
	key := strings.Join(r.Key, "\x00")
	next := row{key: key, version: r.Version, cells: parquetfile.Row{}}
	id := key
	if appends && r.IdempotencyKey != "" {
		id = "\x00" + r.IdempotencyKey
	}
	next.id = fmt.Sprintf("%q %q %q %d", r.IdempotencyKey, key, r.Operation, r.Version)
	var carried []string
	for name, value := range r.Fields {
		if len(value) == 0 {
			value = json.RawMessage("null")
		}
		if !json.Valid(value) {
			return fmt.Errorf("field %q is not JSON", name)
		}
		if p.parquet && p.types[name] == destination.TypeNumber {
			if err := p.decimal.Check(value); err != nil {
				return fmt.Errorf("field %q: %w", name, err)
			}
		}
		carried = append(carried, name)
		next.cells[p.column(name)] = value
	}
	slices.Sort(carried)
	for i, name := range p.key {
		next.cells[name] = quote(r.Key[i])
	}
	for _, name := range p.system {
		next.cells[name] = systemCell(name, r, carried)
	}
	if old, ok := p.rows[id]; !ok || !appends && old.version < r.Version {
		p.rows[id] = next
	}
	return nil
}

// column renames a field that has the name of a key field or system column.
func (p *Part) column(name string) string {
	for name == parquetfile.Misfits || slices.Contains(p.key, name) || slices.Contains(p.system, name) {
		name += "_"
	}
	return name
}

func systemCell(name string, r *destination.Record, carried []string) json.RawMessage {
	var text string
	switch name {
	case columnVersion, columnSequence:
		return strconv.AppendInt(nil, r.Version, 10)
	case columnDeleted:
		return strconv.AppendBool(nil, r.Operation == destination.Delete)
	case columnFields:
		list, err := json.Marshal(carried)
		if err != nil { // texts always marshal
			panic(err)
		}
		return list
	case columnOccurredAt:
		if !r.OccurredAt.IsZero() {
			text = r.OccurredAt.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
		}
	case columnIdempotencyKey:
		text = r.IdempotencyKey
	case columnOperation:
		text = r.Origin.Operation
	case columnEventID:
		text = r.Origin.EventID
	case columnEventKind:
		text = r.Origin.EventKind
	case columnSource:
		text = r.Origin.Source
	case columnCompanyID:
		text = r.Origin.CompanyID
	case columnIntegration:
		text = r.Origin.Integration
	case columnModel:
		text = r.Origin.Model
	case columnPlatformID:
		text = r.Origin.PlatformID
	}
	if text == "" {
		return nil
	}
	return quote(text)
}

// Len is how many rows the part has.
func (p *Part) Len() int { return len(p.rows) }

// ID names the part by its records: the same ones, in any order, have the same ID.
func (p *Part) ID() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q\n", p.mode, p.object, p.key)
	for _, r := range p.sorted() {
		fmt.Fprintln(h, r.id)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (p *Part) sorted() []row {
	list := make([]row, 0, len(p.rows))
	for _, r := range p.rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b row) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.version, b.version), strings.Compare(a.id, b.id))
	})
	return list
}
