package conformance

import (
	"fmt"
	"strings"
)

// values writes each value of a field as a record of its own and reads it back.
func values(t T, s *suite, field string, list ...string) {
	t.Helper()
	d := s.start(t)
	batch := records()
	for i, v := range list {
		batch.Records = append(batch.Records, put(fmt.Sprint("v", i), 1, fmt.Sprintf(`{%q:%s}`, field, v)))
	}
	deliver(t, d, batch)
	want := map[string]string{}
	for i, v := range list {
		want[fmt.Sprint("v", i)] = fmt.Sprintf(`{%q:%s}`, field, v)
	}
	s.wantAll(t, want)
}

func text(t T, s *suite) {
	values(t, s, "memo",
		quote("plain"),
		quote("Zażółć gęślą jaźń — ₹ € ¥"),
		quote("e\u0301 and \u00e9 differ"),
		quote("שלום עולם"),
		quote("👩‍👩‍👧‍👦 🇮🇳"),
		quote(`it's "quoted", with \ and / and ; and %s and $1 and ?`),
		quote("two\nlines\r\nand\ttabs"),
		quote("  spaces around  "),
		quote("null"), quote("NULL"), quote("true"), quote("12.50"), quote("0012"), quote("=1+1"),
		quote("'); DROP TABLE invoices; --"),
		quote("<b>&amp;</b>"),
		quote("line separator \u2028 and byte order mark \ufeff inside"),
	)
}

func emptyText(t T, s *suite) {
	values(t, s, "memo", `""`)
}

func integers(t T, s *suite) {
	values(t, s, "units",
		"0", "-1", "2147483648", "9007199254740993",
		"9223372036854775807", "-9223372036854775808", "18446744073709551616")
}

func decimals(t T, s *suite) {
	values(t, s, "amount",
		"0.10", "-0.01", "12.50", "0.1234567890123456789",
		"12345678901234567890123456789012345678",
		"1234567890123456789012345678.9012345678",
		"-0.00000000000000000000000000000000000001",
		"1.5e3", "1E-7")
}

func booleans(t T, s *suite) {
	values(t, s, "paid", "true", "false")
}

func timestamps(t T, s *suite) {
	values(t, s, "due_at",
		quote("2026-02-28T23:59:59Z"),
		quote("2026-02-28T23:59:59.123Z"),
		quote("2026-02-28T23:59:59.123456Z"),
		quote("2026-02-28T23:59:59+05:30"),
		quote("2024-02-29"),
		quote("1969-07-20T20:17:40Z"),
	)
}

func nested(t T, s *suite) {
	values(t, s, "lines",
		`[]`, `{}`,
		`[{"id":1,"amount":10.25,"tax":null},{"id":2,"text":"a \"b\" ü"}]`,
		`{"a":{"b":[true,false,null,""]},"n":12345678901234567890}`,
	)
}

// A field that the catalog does not know is judged by its value.
func untyped(t T, s *suite) {
	d := s.start(t)
	fields := `{"x_text":"t","x_number":12.75,"x_flag":true,"x_list":[1,2],"x_null":null}`
	deliver(t, d, records(put("a", 1, fields)))
	s.want(t, "a", fields)
	// The first value was no promise: another type must arrive too.
	other := `{"x_text":"t","x_number":"n/a","x_flag":"maybe","x_list":"none","x_null":"now"}`
	deliver(t, d, records(put("a", 2, other)))
	s.want(t, "a", other)
}

func large(t T, s *suite) {
	values(t, s, "memo", quote(strings.Repeat("0123456789abcdéf", 1<<16)))
}

func awkwardKeys(t T, s *suite) {
	d := s.start(t)
	ids := []string{"INVOICES_1", "invoices_1", "a/b", "../../etc/passwd", "a b", "ü", "'", `"`, "%", "a,b", "a\nb", ".", "~", strings.Repeat("k", 200)}
	batch, want := records(), map[string]string{}
	for _, id := range ids {
		want[id] = fmt.Sprintf(`{"memo":%s}`, quote(id))
		batch.Records = append(batch.Records, put(id, 1, want[id]))
	}
	deliver(t, d, batch)
	s.wantAll(t, want)
}
