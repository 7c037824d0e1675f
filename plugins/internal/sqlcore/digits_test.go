package sqlcore

import "testing"

func TestDigits(t *testing.T) {
	n := Digits{Whole: 5, Fraction: 3}
	for number, want := range map[string]bool{
		"0": true, "12345": true, "-12345.678": true, "123456": false, "0.0001": false, "1e4": true, "1e5": false,
		"1.5E-2": true, "1e-3": true, "1e-4": false, "1e999999999999": false, "1.2345e2": true, "1.23456e2": true, "1.234567e2": false,
	} {
		if got := n.fit(number); got != want {
			t.Errorf("%s: got %v, want %v", number, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for number, want := range map[string]string{
		"0": "0", "-1.50": "-1.50", "1.5e3": "1500", "1.5E+3": "1500", "1E-7": "0.0000001", "-12.50e1": "-125.0", "0e5": "0", "1e0": "1",
	} {
		if got := Plain(number); got != want {
			t.Errorf("%s: got %s, want %s", number, got, want)
		}
	}
}
