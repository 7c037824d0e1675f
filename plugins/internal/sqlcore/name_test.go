package sqlcore

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestColumnNames(t *testing.T) {
	n := Names{MaxBytes: 63, Reserved: []string{"ctid"}}
	taken := recordLayout("t", []string{"_company_id"}).taken
	longest := strings.Repeat("x", 63)
	for field, want := range map[string]string{
		"total_amount": "total_amount", "Total Amount": "Total Amount", "version": "version", longest: longest,
		"_version": "_version_", "_version_": "_version__", "_Version": "_Version_", "_company_id": "_company_id_",
		"ctid": "ctid_", "_": "_", "__": "__",
	} {
		if got := n.column(field, taken); got != want {
			t.Errorf("%q: got %q, want %q", field, got, want)
		}
	}
}

func TestDifferentFieldsHaveDifferentNames(t *testing.T) {
	n := Names{MaxBytes: 63}
	long := strings.Repeat("ü", 40)
	seen := map[string]string{}
	fields := []string{long + "a", long + "b", long, "a\x00", "a\uFFFD", "", "_", "\xff", "\xfe"}
	for _, f := range fields[:3] {
		fields = append(fields, n.column(f, nil)) // a field named like the column of another
	}
	for _, f := range fields {
		name := n.column(f, nil)
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q are both %q", f, other, name)
		}
		seen[name] = f
		if name == "" || len(name) > 63 || !utf8.ValidString(name) || strings.Contains(name, "\x00") {
			t.Errorf("%q: %q is no name", f, name)
		}
	}
}

func TestNamesOfAllowedCharacters(t *testing.T) {
	n := Names{MaxBytes: 63, Allowed: func(r rune) bool { return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }}
	seen := map[string]string{}
	for _, field := range []string{"total", "to.tal", "to tal", "to_tal", ".", " ", "ü"} {
		name := n.column(field, nil)
		if n.clean(name) != name || name == "" {
			t.Errorf("%q: %q has characters that are not allowed", field, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q are both %q", field, other, name)
		}
		seen[name] = field
	}
	if seen["to_tal"] != "to_tal" || seen["total"] != "total" {
		t.Errorf("names that are allowed were changed: %v", seen)
	}
}
