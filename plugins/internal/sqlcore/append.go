package sqlcore

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/sluicehq/sluice/plugins/destination"
)

// appended writes events and changes as they came. A repetition finds its
// idempotency key in the table and changes nothing.
func appended(b *destination.Batch, l layout, rows []*row, selected []int) Statement {
	s := Statement{Op: Append, Table: l.table, Key: l.key}
	for _, c := range appendColumns {
		if c.Name == SyncedAt {
			continue
		}
		list := make([]*string, len(selected))
		for at, i := range selected {
			list[at] = appendValue(c.Name, &b.Records[rows[i].newest])
		}
		s.Columns = append(s.Columns, c)
		s.Values = append(s.Values, list)
	}
	return s
}

func appendValue(column string, r *destination.Record) *string {
	var text string
	switch column {
	case "_idempotency_key":
		text = r.IdempotencyKey
	case "_source":
		text = r.Origin.Source
	case "_company_id":
		text = r.Origin.CompanyID
	case "_integration_type":
		text = r.Origin.Integration
	case "_model":
		text = r.Origin.Model
	case "_platform_id":
		text = r.Origin.PlatformID
	case "_event_id":
		text = r.Origin.EventID
	case "_event_kind":
		text = r.Origin.EventKind
	case "_operation":
		text = r.Origin.Operation
	case "_sequence":
		text = strconv.FormatInt(r.Version, 10)
	case "_occurred_at":
		if !r.OccurredAt.IsZero() {
			text = r.OccurredAt.UTC().Format(timeFormat)
		}
	case "body":
		text = body(r.Fields)
	}
	if text == "" {
		return nil
	}
	text = cleanText(text)
	return &text
}

// body writes the fields as one JSON object, values byte for byte.
func body(fields map[string]json.RawMessage) string {
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b = append(b, ',')
		}
		quoted, err := json.Marshal(name)
		if err != nil { // a string always marshals
			panic(err)
		}
		b = append(append(b, quoted...), ':')
		if value := fields[name]; len(value) > 0 {
			b = append(b, value...)
		} else {
			b = append(b, "null"...)
		}
	}
	return cleanJSON(append(b, '}'))
}
