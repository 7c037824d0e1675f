// Package demo plays the sandbox against a running Sluice and compares what
// arrived with what must have arrived. `sluice demo` shows it to people; the
// end-to-end tests hold every ledger and destination to it.
package demo

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// Comparison is how a warehouse differs from the expected state.
type Comparison struct {
	Models      []ModelComparison
	Differences []string // the first few, for people
}

// ModelComparison counts one data model.
type ModelComparison struct {
	Model    string
	Expected int // records, deleted ones included
	Equal    int
	Wrong    int // missing, different, or deleted when they should not be
	Extra    int // rows that nothing expects
}

// OK reports whether nothing differs.
func (c *Comparison) OK() bool {
	return !slices.ContainsFunc(c.Models, func(m ModelComparison) bool { return m.Wrong > 0 || m.Extra > 0 })
}

const differencesShown = 20

func (c *Comparison) differ(format string, args ...any) {
	if len(c.Differences) < differencesShown {
		c.Differences = append(c.Differences, fmt.Sprintf(format, args...))
	}
}

// Compare holds the tables of a warehouse against the expected records: every
// field that is expected, every row, and no row besides. table returns the
// quoted name of a data model's table.
func Compare(ctx context.Context, db *sql.DB, table func(model string) string, expected []sandbox.Record) (Comparison, error) {
	byModel := make(map[string][]sandbox.Record)
	var models []string
	for _, r := range expected {
		if byModel[r.Model] == nil {
			models = append(models, r.Model)
		}
		byModel[r.Model] = append(byModel[r.Model], r)
	}
	slices.Sort(models)
	var out Comparison
	for _, model := range models {
		rows, err := readTable(ctx, db, table(model))
		if err != nil {
			return out, fmt.Errorf("read the table of %s: %w", model, err)
		}
		m := ModelComparison{Model: model, Expected: len(byModel[model])}
		for _, want := range byModel[model] {
			key := want.CompanyID + "/" + want.Integration + "/" + want.PlatformID
			row, ok := rows[key]
			delete(rows, key)
			if !ok {
				m.Wrong++
				out.differ("%s %s is missing", model, key)
				continue
			}
			if problem := compareRow(want, row); problem != "" {
				m.Wrong++
				out.differ("%s %s: %s", model, key, problem)
				continue
			}
			m.Equal++
		}
		m.Extra = len(rows)
		for key := range rows {
			out.differ("%s %s is not expected", model, key)
		}
		out.Models = append(out.Models, m)
	}
	return out, nil
}

func readTable(ctx context.Context, db *sql.DB, table string) (map[string]map[string]any, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	out := make(map[string]map[string]any)
	for rows.Next() {
		values := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make(map[string]any, len(columns))
		for i, c := range columns {
			if b, ok := values[i].([]byte); ok {
				values[i] = string(b)
			}
			row[c] = values[i]
		}
		out[fmt.Sprint(row["_company_id"], "/", row["_integration_type"], "/", row["_platform_id"])] = row
	}
	return out, rows.Err()
}

func compareRow(want sandbox.Record, row map[string]any) string {
	if deleted := row["_deleted_at"] != nil; deleted != want.Deleted {
		return fmt.Sprintf("deleted is %v, want %v", deleted, want.Deleted)
	}
	for name, value := range want.Fields {
		if got, ok := row[name]; !equal(value, got) && (ok || string(value) != "null") {
			return fmt.Sprintf("%s is %v, want %s", name, got, value)
		}
	}
	if want.Deleted {
		return ""
	}
	for name, got := range row {
		if _, expected := want.Fields[name]; !expected && got != nil && !strings.HasPrefix(name, "_") {
			return fmt.Sprintf("%s is %v, want nothing", name, got)
		}
	}
	return ""
}

// equal compares a JSON value with what a database driver made of its column.
// Numbers must have the same digits: they are money.
func equal(want json.RawMessage, got any) bool {
	var v any
	d := json.NewDecoder(strings.NewReader(string(want)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return false
	}
	switch v := v.(type) {
	case nil:
		return got == nil
	case json.Number:
		switch got := got.(type) {
		case string:
			return got == v.String()
		case int64:
			return strconv.FormatInt(got, 10) == v.String()
		}
		return false
	case bool:
		return got == v || got == map[bool]int64{true: 1}[v] || got == strconv.FormatBool(v)
	case string:
		switch got := got.(type) {
		case string:
			return got == v || sameMoment(got, v)
		case time.Time:
			t, err := parseMoment(v)
			return err == nil && t.Equal(got)
		}
		return false
	default:
		text, ok := got.(string)
		if !ok {
			return false
		}
		var w any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		return d.Decode(&w) == nil && reflect.DeepEqual(v, w)
	}
}

func sameMoment(a, b string) bool {
	t, err := parseMoment(a)
	if err != nil {
		return false
	}
	u, err := parseMoment(b)
	return err == nil && t.Equal(u)
}

func parseMoment(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no moment", s)
}
