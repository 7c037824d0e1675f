package parquetfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/internal/parquetfile"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile/parquettest"
)

func write(t testing.TB, table parquetfile.Table, rows ...string) []byte {
	t.Helper()
	var list []parquetfile.Row
	for _, text := range rows {
		var row parquetfile.Row
		if err := json.Unmarshal([]byte(text), &row); err != nil {
			t.Fatal(err)
		}
		list = append(list, row)
	}
	var b bytes.Buffer
	if err := table.Write(&b, slices.Values(list)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var columns = map[string]parquetfile.Kind{
	"text": parquetfile.Text, "number": parquetfile.Number, "flag": parquetfile.Boolean,
	"at": parquetfile.Timestamp, "json": parquetfile.JSON, "n": parquetfile.Integer,
}

func TestValues(t *testing.T) {
	file := write(t, parquetfile.Table{Columns: columns},
		`{"text":"<ü>","number":0.1234567890123456789012345678901234567890,"flag":false,"at":"2026-02-28T23:59:59.123456+05:30","json":{"a":[1.10,null]},"n":9223372036854775807}`,
		`{"text":12.50,"number":"1.5e3","flag":"true","at":"2024-02-29","json":"quoted"}`,
		`{"text":null,"flag":null}`,
		`{"flag":"maybe","at":"31/12/2025","number":"n/a"}`,
		`{"at":"2026-01-01T00:00:00.0000001Z","flag":2}`,
	)
	rows, types := parquettest.Rows(t, file), parquettest.Types(t, file)
	want := []string{
		`map[at:2026-02-28T18:29:59.123456Z flag:false json:{"a":[1.10,null]} n:9223372036854775807 number:0.1234567890123456789012345678901234567890 text:<ü>]`,
		`map[at:2024-02-29T00:00:00Z flag:true json:"quoted" number:1.5e3 text:12.50]`,
		`map[]`,
		`map[_misfits:{"at":"31/12/2025","flag":"maybe"} number:n/a]`,
		`map[_misfits:{"at":"2026-01-01T00:00:00.0000001Z","flag":2}]`,
	}
	for i, row := range rows {
		if got := fmt.Sprint(row); got != want[i] {
			t.Errorf("row %d\ngot  %s\nwant %s", i, got, want[i])
		}
	}
	if len(rows) != len(want) {
		t.Errorf("%d rows", len(rows))
	}
	for name, text := range types {
		if strings.Contains(text, "DOUBLE") || strings.Contains(text, "FLOAT") {
			t.Errorf("%s is a %s", name, text)
		}
	}
}

func TestDecimals(t *testing.T) {
	for _, tt := range []struct{ decimal, value, want string }{
		{"38,9", "0.10", "100000000e-9"},
		{"38,9", "-12345678901234567890123456789.123456789", "-12345678901234567890123456789123456789e-9"},
		{"38,9", `"12.5"`, "12500000000e-9"},
		{"38,9", "1.5e3", "1500000000000e-9"},
		{"38,9", "0.1000000000000", "100000000e-9"},
		{"38,9", "0.1234567891", ""},
		{"38,9", "1e29", ""},
		{"38,9", "1e99999", ""},
		{"18,2", "-9999999999999999.99", "-999999999999999999e-2"},
		{"18,2", "10000000000000000", ""},
	} {
		d, err := parquetfile.ParseDecimal(tt.decimal)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Check(json.RawMessage(tt.value))
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s in %s: %v", tt.value, tt.decimal, err)
		}
		rows := parquettest.Rows(t, write(t, parquetfile.Table{Columns: columns, Decimal: d}, `{"number":`+tt.value+`}`))
		if got := rows[0]["number"]; got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.value, tt.decimal, got, tt.want)
		}
		// What does not fit is never lost.
		if tt.want == "" && rows[0][parquetfile.Misfits] != `{"number":`+tt.value+`}` {
			t.Errorf("misfits: %s", rows[0][parquetfile.Misfits])
		}
	}
	for _, text := range []string{"38", "39,9", "0,0", "9,10", "a,b", "9,-1"} {
		if d, err := parquetfile.ParseDecimal(text); err == nil {
			t.Errorf("%q: %v", text, d)
		}
	}
}

func TestSameRowsMakeTheSameBytes(t *testing.T) {
	table := parquetfile.Table{Columns: columns}
	first, second := write(t, table, `{"text":"a"}`, `{"n":1}`), write(t, table, `{"text":"a"}`, `{"n":1}`)
	if !bytes.Equal(first, second) {
		t.Error("they differ")
	}
}

// FuzzNumbers: whatever a number looks like, it is there exactly or refused.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"0", "-0.00", "1e-9", "123456789012345678901234567890.1", "1E+28", "0.000000001"} {
		f.Add(s)
	}
	d := parquetfile.Decimal{Precision: 38, Scale: 9}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 100 || strings.TrimSpace(text) != text || !json.Valid([]byte(text)) || strings.Trim(text, "0123456789+-.eE") != "" {
			return
		}
		if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok && len(strings.Trim(exponent, "+-0")) > 3 {
			return // the comparison below would take forever
		}
		rows := parquettest.Rows(t, write(t, parquetfile.Table{Columns: columns, Decimal: d}, `{"number":`+text+`}`))
		got, stored := rows[0]["number"]
		if stored != (d.Check(json.RawMessage(text)) == nil) {
			t.Fatalf("%s: stored %v against its check", text, stored)
		}
		if !stored {
			return
		}
		want, _ := new(big.Rat).SetString(text)
		if n, ok := new(big.Rat).SetString(got); !ok || n.Cmp(want) != 0 {
			t.Errorf("%s became %s", text, got)
		}
	})
}
