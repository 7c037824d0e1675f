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
			for _, g := range s.Groups {
				if !slices.IsSorted(g.Names) {
					t.Errorf("names are not in order: %s", b)
				}
				for _, name := range g.Names {
					want := Field{Value: s.Fields[name], Stamp: Stamp{g.At, g.Seq, g.Index}, Version: g.Version}
					if !reflect.DeepEqual(r.Fields[name], want) {
						t.Errorf("%q: %+v, want %+v", name, want, r.Fields[name])
					}
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
	if err := r.DecodeState([]byte(`{"w":[1,2,3],"new":{},"g":[[1,2,3,4,["a"]]],"f":{"a":1}}`)); err != nil {
		t.Fatal(err)
	}
	if want := (Field{Value: json.RawMessage(`1`), Stamp: Stamp{1, 2, 3}, Version: 4}); !reflect.DeepEqual(r.Fields["a"], want) {
		t.Errorf("%+v", r.Fields)
	}
	for _, broken := range []string{``, `{`, `{"g":[[1,2,3,4,["a"]]],"f":{}}`, `{"g":[[1,2,3,4,["a"]]],"f":{"a":1,"b":2}}`, `{"g":[[1,2,3]]}`} {
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
		slow := make(map[string]Field)
		for _, g := range s.Groups {
			for _, name := range g.Names {
				slow[name] = Field{Value: s.Fields[name], Stamp: Stamp{g.At, g.Seq, g.Index}, Version: g.Version}
			}
		}
		if !maps.EqualFunc(fast.Fields, slow, func(a, b Field) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("%s: scanned %v, decoded %v", b, fast.Fields, slow)
		}
	})
}
