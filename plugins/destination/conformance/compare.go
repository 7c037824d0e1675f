package conformance

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// row is one row of the destination.
type row map[string]string

// rows reads an object back. It is false where nobody can: what the case wants
// to see there stays unseen, and its outcome says so.
func (s *suite) rows(t T, object string) ([]row, bool) {
	t.Helper()
	if s.Rows == nil {
		s.outcome.Result = Unobserved
		return nil, false
	}
	var list []row
	for _, r := range s.Rows(t, s.settings, object) {
		list = append(list, r)
	}
	return list, true
}

// living returns the rows that are not deleted, by platform id. A second row of
// one id is an error.
func (s *suite) living(t T, object string) (map[string]row, bool) {
	t.Helper()
	byID := map[string]row{}
	rows, seen := s.rows(t, object)
	for _, r := range rows {
		if r["_deleted_at"] != "" {
			continue
		}
		id := r["_platform_id"]
		if _, ok := byID[id]; ok {
			t.Fatalf("two rows of record %q", id)
		}
		byID[id] = r
	}
	return byID, seen
}

// wantLiving checks how many records live.
func (s *suite) wantLiving(t T, n int) {
	t.Helper()
	if living, seen := s.living(t, object); seen && len(living) != n {
		t.Errorf("%d rows live, want %d", len(living), n)
	}
}

// wantAll checks that exactly these records live, by id, with these fields.
func (s *suite) wantAll(t T, fields map[string]string) {
	t.Helper()
	living, seen := s.living(t, object)
	if !seen {
		return
	}
	if len(living) != len(fields) {
		t.Errorf("%d rows live, want %d", len(living), len(fields))
	}
	for _, id := range slices.Sorted(maps.Keys(fields)) {
		s.wantRow(t, living[id], id, fields[id])
	}
}

// want checks that exactly one record lives and has these fields.
func (s *suite) want(t T, id, fields string) {
	t.Helper()
	s.wantAll(t, map[string]string{id: fields})
}

// wantRow checks one row's key and fields. A null is a field left out.
func (s *suite) wantRow(t T, r row, id, fields string) {
	t.Helper()
	if r == nil {
		t.Fatalf("record %q is missing", id)
	}
	if r["_company_id"] != "4711" || r["_integration_type"] != "XERO" || r["_platform_id"] != id {
		t.Errorf("record %q has the key %q, %q, %q", id, r["_company_id"], r["_integration_type"], r["_platform_id"])
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(fields), &members); err != nil {
		t.Fatal(err)
	}
	for name, want := range members {
		got, ok := r[name]
		switch {
		case string(want) == "null" && ok:
			t.Errorf("record %q: field %s is %s, want null", id, name, short(got))
		case string(want) == "null":
		case !ok:
			t.Errorf("record %q: field %s is null, want %s", id, name, short(string(want)))
		case !same(types()[name], want, got):
			t.Errorf("record %q: field %s is %s, want %s", id, name, short(got), short(string(want)))
		}
	}
}

// same compares a value with its text at the destination. Form is free, value is not.
func same(t destination.FieldType, want json.RawMessage, got string) bool {
	var v any
	d := json.NewDecoder(bytes.NewReader(want))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return false
	}
	switch v := v.(type) {
	case string:
		if t == destination.TypeTimestamp {
			return sameTime(v, got)
		}
		// A column of JSON keeps a string in its quotes.
		return v == got || t != destination.TypeText && got == string(want)
	case bool:
		yes := slices.Contains([]string{"true", "t", "1"}, strings.ToLower(got))
		no := slices.Contains([]string{"false", "f", "0"}, strings.ToLower(got))
		return v && yes || !v && no
	case json.Number:
		return sameNumber(v.String(), got)
	default:
		var g any
		d := json.NewDecoder(strings.NewReader(got))
		d.UseNumber()
		return d.Decode(&g) == nil && reflect.DeepEqual(v, g)
	}
}

// sameNumber compares decimals of any length exactly.
func sameNumber(want, got string) bool {
	w, ok := new(big.Rat).SetString(want)
	if !ok {
		return false
	}
	g, ok := new(big.Rat).SetString(got)
	return ok && w.Cmp(g) == 0
}

func sameTime(want, got string) bool {
	w, ok := parseTime(want)
	if !ok {
		return false
	}
	g, ok := parseTime(got)
	return ok && w.Equal(g)
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{
		time.RFC3339Nano,
		"2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999Z07",
		"2006-01-02 15:04:05.999999999 -0700 MST",
		"2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04:05.999999999",
		time.DateOnly,
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func short(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
