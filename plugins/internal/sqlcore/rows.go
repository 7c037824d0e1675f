package sqlcore

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/rawjson"
)

// row is what becomes of the records of one key: the newest one decides, and a
// field that it does not have keeps what an older one says.
type row struct {
	key     []string
	version int64
	newest  int   // record of the batch
	older   []int // records of the same key, in order of version
	deleted *string
	gone    bool // the row is to be removed
	fields  map[string]json.RawMessage
}

// collect makes rows from the given records, sorted by key: two transactions
// that write the same rows meet at the first one and do not deadlock. Records
// that can never be a row get their result.
func collect(b *destination.Batch, places []int, results []destination.Result, hardDelete bool) []*row {
	all := make([]*row, 0, len(places))
	for _, i := range places {
		r := &b.Records[i]
		if code, message := flaw(b, r); code != "" {
			results[i] = destination.Result{Kind: destination.Rejected, Code: code, Message: message}
			continue
		}
		next := &row{key: r.Key, version: r.Version, newest: i, fields: r.Fields}
		if b.Mode != destination.ModeRecords {
			next.key = []string{r.IdempotencyKey}
		}
		if r.Operation == destination.Delete {
			at := r.OccurredAt.UTC().Format(timeFormat)
			next.deleted = &at
			next.gone = hardDelete
		}
		all = append(all, next)
	}
	slices.SortStableFunc(all, func(a, b *row) int {
		return cmp.Or(slices.Compare(a.key, b.key), cmp.Compare(a.version, b.version))
	})
	rows := all[:0]
	for _, next := range all {
		if last := len(rows) - 1; last >= 0 && slices.Equal(rows[last].key, next.key) {
			next.takeOver(rows[last])
			rows[last] = next
			continue
		}
		if next.gone {
			next.fields = nil
		}
		rows = append(rows, next)
	}
	return rows
}

func (r *row) takeOver(old *row) {
	r.older = append(old.older, old.newest)
	if r.gone {
		r.fields = nil
		return
	}
	fields := make(map[string]json.RawMessage, len(r.fields))
	maps.Copy(fields, old.fields)
	maps.Copy(fields, r.fields)
	r.fields = fields
}

// records lists the records of the batch that the row stands for.
func (r *row) records() []int { return append(slices.Clone(r.older), r.newest) }

func flaw(b *destination.Batch, r *destination.Record) (code, message string) {
	if b.Mode != destination.ModeRecords {
		if r.Operation != destination.Append {
			return "INVALID_OPERATION", "an event or change can only be appended"
		}
		if !isKey(r.IdempotencyKey) || r.IdempotencyKey == "" {
			return "INVALID_KEY", "the idempotency key is empty or not text that a database can hold"
		}
	} else {
		if r.Operation != destination.Upsert && r.Operation != destination.Delete {
			return "INVALID_OPERATION", "a record can only be upserted or deleted"
		}
		if len(r.Key) != len(b.KeyFields) {
			return "INVALID_KEY", "the record has " + strconv.Itoa(len(r.Key)) + " key values for " + strconv.Itoa(len(b.KeyFields)) + " key columns"
		}
		if !allKeys(r.Key) {
			return "INVALID_KEY", "the key is not text that a database can hold: it has a NUL character or is not UTF-8"
		}
	}
	for name, raw := range r.Fields {
		if len(raw) > 0 && !rawjson.Valid(raw) {
			return "INVALID_JSON", "the value of field " + strconv.Quote(name) + " is not JSON"
		}
	}
	return "", ""
}

// isKey reports whether the text is stored as it is. A key is never repaired: two
// keys could become one.
func isKey(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func allKeys(key []string) bool {
	return !slices.ContainsFunc(key, func(s string) bool { return !isKey(s) })
}

func (r *row) versionText() *string {
	s := strconv.FormatInt(r.version, 10)
	return &s
}
