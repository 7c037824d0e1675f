package sqlcore

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

// fakeDatabase answers what planning asks; nothing else is called.
type fakeDatabase struct{ Database }

func (fakeDatabase) Names() Names         { return Names{} }
func (fakeDatabase) Digits() Digits       { return AnyDigits }
func (fakeDatabase) TakesAny(k Kind) bool { return k == Text }

func TestMasked(t *testing.T) {
	l := recordLayout("invoices", []string{"id"})
	with := func(id, fields string) *row {
		r := &row{key: []string{id}, version: 7}
		if err := json.Unmarshal([]byte(fields), &r.fields); err != nil {
			t.Fatal(err)
		}
		return r
	}
	rows := []*row{with("a", `{"amount":1,"memo":"m"}`), with("b", `{"memo":null}`), with("c", `{"memo":"n","other":true}`)}
	types := map[string]destination.FieldType{"amount": destination.TypeNumber, "memo": destination.TypeText, "unused": destination.TypeText}
	p, err := makePlan(fakeDatabase{}, newShape(nil), l, types, rows, refusals{})
	if err != nil {
		t.Fatal(err)
	}
	names := func(s Statement) []string {
		var out []string
		for _, c := range s.Columns {
			out = append(out, c.Name)
		}
		return out
	}
	s := p.masked(l, rows, []int{0, 1, 2}, "")
	if got, want := names(s), []string{"id", Version, DeletedAt, "amount", "memo", "other"}; !slices.Equal(got, want) {
		t.Errorf("columns %v, want %v", got, want)
	}
	if want := []string{"111110", "111010", "111011"}; !slices.Equal(s.Masks, want) {
		t.Errorf("masks %v, want %v", s.Masks, want)
	}
	if got := s.Choose(4, "s.c5", "t.memo", "s.m"); got != "s.c5" {
		t.Errorf("a column of every row: %s", got)
	}
	if got := s.Choose(3, "s.c4", "t.amount", "s.m"); got != "CASE WHEN SUBSTR(s.m, 4, 1) = '1' THEN s.c4 ELSE t.amount END" {
		t.Errorf("a column of some rows: %s", got)
	}
	if whole := p.masked(l, rows, []int{1}, ""); len(whole.Masks) > 0 || !slices.Equal(names(whole), []string{"id", Version, DeletedAt, "memo"}) {
		t.Errorf("rows with the same fields: columns %v, masks %v", names(whole), whole.Masks)
	}
}
