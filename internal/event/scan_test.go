package event

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
)

var storedRecords = map[string]*Record{
	"empty": {},
	"one stamp": {
		Written: Stamp{At: 7, Seq: 1},
		Fields: map[string]Field{
			"status": {Value: json.RawMessage(`"PAID"`), Stamp: Stamp{At: 7, Seq: 1}, Version: 1},
			"amount": {Value: json.RawMessage(`1.50`), Stamp: Stamp{At: 7, Seq: 1}, Version: 1},
		},
	},
	"several stamps, nested values": {
		Written: Stamp{At: -9, Seq: 3, Index: 2}, Tombstone: Stamp{At: 8, Seq: 2, Index: 1},
		Fields: map[string]Field{
			"lines": {Value: json.RawMessage(`[{"a":"]}\"\\","b":[1,2]},null]`), Stamp: Stamp{At: -9, Seq: 3, Index: 2}, Version: 2},
			"memo":  {Value: json.RawMessage(`null`), Stamp: Stamp{At: 1, Seq: 1}, Version: 1},
			"é,\"":  {Value: json.RawMessage(`"<&>é"`), Stamp: Stamp{At: 1, Seq: 1}, Version: 1},
		},
	},
	"only deleted": {Tombstone: Stamp{At: 8, Seq: 2, Index: 1}},
}

func TestStoredFormIsJSON(t *testing.T) {
	for name, r := range storedRecords {
		t.Run(name, func(t *testing.T) {
			b, err := r.EncodeState()
			if err != nil {
				t.Fatal(err)
			}
			var s state
			if err := json.Unmarshal(b, &s); err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			if len(s.Fields) != len(r.Fields) || unpackStamp(s.Written) != r.Written || unpackStamp(s.Tombstone) != r.Tombstone {
				t.Fatalf("%s", b)
			}
			fields, err := s.fields()
			if err != nil || !maps.EqualFunc(fields, r.Fields, func(a, b Field) bool { return reflect.DeepEqual(a, b) }) {
				t.Errorf("%s: %v, %v", b, fields, err)
			}
			for i, g := range s.Groups {
				if (i == 0) != (g.Names == nil) || !slices.IsSorted(g.Names) {
					t.Errorf("groups are not as they should be: %s", b)
				}
			}
		})
	}
}

// The fast way must be taken for what is written, or it is of no use.
func TestStoredFormIsScanned(t *testing.T) {
	for name, want := range map[string]bool{"empty": true, "one stamp": true, "several stamps, nested values": false, "only deleted": true} {
		b, err := storedRecords[name].EncodeState()
		if err != nil {
			t.Fatal(err)
		}
		var r Record
		if got := r.scanState(b); got != want {
			t.Errorf("%s: scanned %v: %s", name, got, b)
		}
	}
}

func TestUnknownPartsOfTheStoredFormAreSkipped(t *testing.T) {
	var r Record
	if err := r.DecodeState([]byte(`{"w":[1,2,3],"new":{},"g":[[9,9,9,9],[1,2,3,4,["a"]]],"f":{"a":1,"b":2}}`)); err != nil {
		t.Fatal(err)
	}
	if want := (Field{Value: json.RawMessage(`1`), Stamp: Stamp{1, 2, 3}, Version: 4}); !reflect.DeepEqual(r.Fields["a"], want) {
		t.Errorf("%+v", r.Fields)
	}
	if want := (Field{Value: json.RawMessage(`2`), Stamp: Stamp{9, 9, 9}, Version: 9}); !reflect.DeepEqual(r.Fields["b"], want) {
		t.Errorf("%+v", r.Fields)
	}
	for _, broken := range []string{``, `{`, `{"g":[[1,2,3,4,["a"]]],"f":{}}`, `{"g":[[1,2,3,4,["a"]]],"f":{"a":1,"b":2}}`, `{"g":[[1,2,3]]}`, `{"g":[[1,2,3,4],[1,2,3,4,["b"]]],"f":{"a":1}}`} {
		if err := new(Record).DecodeState([]byte(broken)); err == nil {
			t.Errorf("%s: no error", broken)
		}
	}
}

// FuzzScanState holds the fast way to the general decoder.
func FuzzScanState(f *testing.F) {
	for _, r := range storedRecords {
		b, err := r.EncodeState()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"g":[[1,2,3,4,["a"]]],"f":{"a":"\\\"}}`))
	f.Add([]byte("{\"g\":[[1,2,3,4]],\"f\":{\"a\xff\":1}}"))
	f.Add([]byte(`{"w":[7,1,0],"g":[[7,1,0,1]],"f":{"amount":1.5 ,"status":"PAID"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var fast Record
		if !fast.scanState(b) || !json.Valid(b) {
			return
		}
		var s state
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if unpackStamp(s.Written) != fast.Written || unpackStamp(s.Tombstone) != fast.Tombstone {
			t.Fatalf("%s: %+v", b, fast)
		}
		slow, err := s.fields()
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !maps.EqualFunc(fast.Fields, slow, func(a, b Field) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("%s: scanned %v, decoded %v", b, fast.Fields, slow)
		}
	})
}

// FuzzCanonicalFast holds the fast way to the general decoder.
func FuzzCanonicalFast(f *testing.F) {
	for _, s := range []string{
		`{"b":1.10,"a":[1,null,{"z":"x","y":{}}]}`, `[ { "a" : "\u00e9" , "a" : "<" } , [ ] ]`, `{"a":1,"a\"":2,"a!":3}`,
		`{"a":01}`, `[1,]`, `{"a":"x`, `[tru]`, `{"é":1,"a":2}`, `{"a":1 "b":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		fast, end, ok := appendCanonical(nil, in, 0, 0)
		if !ok || end != len(in) {
			return
		}
		slow, err := decoded(in)
		if err != nil || string(fast) != string(slow) {
			t.Fatalf("%q: fast %q, decoded %q (%v)", in, fast, slow, err)
		}
		if !json.Valid(in) {
			t.Fatalf("%q is not JSON", in)
		}
	})
}

func TestCanonicalOfUsualValuesIsFast(t *testing.T) {
	for _, s := range []string{
		`[{"item_id":"I-1","quantity":2,"amount":500.00},{"b":null,"a":"é"}]`,
		`{"b":{"d":[],"c":{}},"a":true}`,
	} {
		if _, end, ok := appendCanonical(nil, []byte(s), 0, 0); !ok || end != len(s) {
			t.Errorf("%s is decoded", s)
		}
	}
}
