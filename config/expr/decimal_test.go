package expr

import (
	"testing"

	"github.com/cockroachdb/apd/v3"
)

// FuzzShortNumbers holds the reading of plain numbers to the library's.
func FuzzShortNumbers(f *testing.F) {
	for _, s := range []string{"0", "-0", "-0.00", "7", "007", "1190.00", "-12.345", "1.", ".5", "-", "1e3", "1.2.3", "999999999999999999", "9999999999999999999", "+1", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &decimal{text: text}
		if !d.short() {
			return
		}
		want, _, err := apd.NewFromString(text)
		if err != nil {
			t.Fatalf("%q is a number only if read the short way: %v", text, err)
		}
		if d.v.CmpTotal(want) != 0 || d.v.Negative != want.Negative || d.v.Exponent != want.Exponent || d.v.String() != want.String() {
			t.Errorf("%q: got %s, the library gives %s", text, d.v.String(), want)
		}
	})
}

// A number that is compared must not change: it may be a literal that many
// evaluations share.
func TestIdentityLeavesTheNumber(t *testing.T) {
	const text = "12345678901234567890123456789012345678901234567890000"
	d, err := parseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := identity(d); !ok || id != "1.234567890123456789012345678901234567890123456789E+52" {
		t.Errorf("identity is %q, %v", id, ok)
	}
	if got := d.v.Text('f'); got != text {
		t.Errorf("the number has become %s", got)
	}
}
