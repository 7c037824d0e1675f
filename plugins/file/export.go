package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// exportJSONL writes one flat JSON object per row: the key, the system columns,
// then the fields.
func exportJSONL(w *bufio.Writer, rows []row) error {
	var text []byte
	for _, r := range rows {
		text = append(text[:0], '{')
		if key := inner(r.key); key != "" {
			text = append(text, key...)
			text = append(text, ',')
		}
		text = append(text, `"`+columnVersion+`":`...)
		text = strconv.AppendInt(text, r.version, 10)
		if r.deleted {
			text = append(text, `,"`+columnDeletedAt+`":`...)
			text = appendString(text, r.occurredAt)
		}
		text = append(text, `,"`+columnOccurredAt+`":`...)
		text = appendString(text, r.occurredAt)
		if fields := inner(r.fields); fields != "" {
			text = append(text, ',')
			text = append(text, fields...)
		}
		text = append(text, '}', '\n')
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// inner strips the braces of a JSON object.
func inner(object string) string { return object[1 : len(object)-1] }

// exportCSV writes a table with the columns of all rows together. Null and
// absent are both empty; arrays and objects are JSON.
func exportCSV(w *bufio.Writer, rows []row) error {
	keys, fields := map[string]bool{}, map[string]bool{}
	deleted := false
	for _, r := range rows {
		if err := names(r.key, keys); err != nil {
			return err
		}
		if err := names(r.fields, fields); err != nil {
			return err
		}
		deleted = deleted || r.deleted
	}
	keyColumns := slices.Sorted(maps.Keys(keys))
	fieldColumns := slices.Sorted(maps.Keys(fields))
	header := append(slices.Clone(keyColumns), columnVersion)
	if deleted {
		header = append(header, columnDeletedAt)
	}
	header = append(append(header, columnOccurredAt), fieldColumns...)
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for _, r := range rows {
		cells := make([]string, 0, len(header))
		var err error
		if cells, err = appendCells(cells, r.key, keyColumns); err != nil {
			return err
		}
		cells = append(cells, strconv.FormatInt(r.version, 10))
		if deleted {
			at := ""
			if r.deleted {
				at = r.occurredAt
			}
			cells = append(cells, at)
		}
		cells = append(cells, r.occurredAt)
		if cells, err = appendCells(cells, r.fields, fieldColumns); err != nil {
			return err
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func names(object string, into map[string]bool) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		return fmt.Errorf("state of a record: %w", err)
	}
	for name := range members {
		into[name] = true
	}
	return nil
}

func appendCells(cells []string, object string, columns []string) ([]string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		return nil, fmt.Errorf("state of a record: %w", err)
	}
	for _, name := range columns {
		cells = append(cells, cell(members[name]))
	}
	return cells, nil
}

// cell is the text of a value: a string without its quotes, everything else as
// it is, so that numbers stay exact.
func cell(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if !strings.HasPrefix(string(raw), `"`) {
		return string(raw)
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return string(raw)
	}
	return s
}
