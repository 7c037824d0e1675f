package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/plugins/destination"
)

// csvLog writes a change log as CSV with fixed columns. Key and fields are JSON
// in one column each: columns of their own would change with the data, and a
// file that only grows cannot change its header.
type csvLog struct{}

var csvColumns = []string{
	"object", "key", "operation", "version", "fields", "idempotency_key", "occurred_at",
	"event_id", "event_kind", "source", "company_id", "integration", "model", "platform_id", "source_operation",
}

func (csvLog) header() []byte { return appendRow(nil, csvColumns) }

func (csvLog) encode(dst []byte, l *line) []byte {
	row := []string{
		l.Object, string(l.Key), string(l.Operation), strconv.FormatInt(l.Version, 10), string(l.Fields),
		l.IdempotencyKey, renderTime(l.OccurredAt), l.Origin.EventID, l.Origin.EventKind, l.Origin.Source,
		l.Origin.CompanyID, l.Origin.Integration, l.Origin.Model, l.Origin.PlatformID, l.Origin.Operation,
	}
	for i := range row {
		if i != 1 && i != 4 { // JSON has no line breaks of its own
			row[i] = oneLine(row[i])
		}
	}
	return appendRow(dst, row)
}

// oneLine replaces control characters: one row must be one line, so that a torn
// row can be told from a whole one.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func appendRow(dst []byte, row []string) []byte {
	b := bytes.NewBuffer(dst)
	w := csv.NewWriter(b)
	_ = w.Write(row) // a buffer takes everything; Flush reports nothing else
	w.Flush()
	return b.Bytes()
}

func (csvLog) identify(raw []byte) (identity, int64, bool) {
	row, err := csv.NewReader(bytes.NewReader(raw)).Read()
	if err != nil || len(row) != len(csvColumns) {
		return identity{}, 0, false
	}
	version, err := strconv.ParseInt(row[3], 10, 64)
	if err != nil || !json.Valid([]byte(row[1])) {
		return identity{}, 0, false
	}
	return identify(destination.Operation(row[2]), row[0], []byte(row[1]), row[5]), version, true
}

// complete is always false: a row without its line break may have lost the end
// of its last column.
func (csvLog) complete([]byte) bool { return false }
