package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// Whatever JSON it is, splitting it means the same as decoding it; whatever
// bytes they are, nothing panics.
func FuzzDecodeFields(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, ` { } `, `{"a":1}`, `{"a":1.50,"b":[{"c":"]}"}],"d":"\"\\"}`, `{"a":1,"a":2}`, `{"é":null}`,
		`{"A\n":{"b":{}}}`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,}`, `{,}`, `[]`, `null`, `{"a":1}x`, `{"a":}`, `{"a`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFields(bytes.Clone(b))
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %q, want %q", b, got, want)
		}
		again, err := encodeFields(got)
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		back, err := decodeFields(again)
		if err != nil || !reflect.DeepEqual(back, want) {
			t.Fatalf("%q: got %q from %q, %v", b, back, again, err)
		}
	})
}

func TestDecodeFieldsRefuses(t *testing.T) {
	for _, in := range []string{`{`, `[]`, `null`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1}{`, `{"a":"x}`, `{"a":[1}`, `{a:1}`, `{"a":1 "b":2}`} {
		if got, err := decodeFields([]byte(in)); err == nil {
			t.Errorf("%s: %q", in, got)
		}
	}
}
