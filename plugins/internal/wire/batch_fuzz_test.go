package wire

import (
	"encoding/json"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/plugins/destination"
	pb "github.com/sluicehq/sluice/plugins/destination/destinationpb"
)

// FuzzBatch takes any bytes for a batch on the wire: no panic, and a batch that
// is understood is the same after another way there and back.
func FuzzBatch(f *testing.F) {
	batch, err := toBatch(destination.Batch{
		Mode: destination.ModeRecords, Object: "bills", KeyFields: []string{"platform_id"},
		Types: map[string]destination.FieldType{"amount": destination.TypeNumber},
		Records: []destination.Record{{
			Key: []string{"B1"}, Operation: destination.Upsert, Version: 3, IdempotencyKey: "k",
			Fields: map[string]json.RawMessage{"amount": json.RawMessage("1.50")}, Changed: []string{"amount"},
		}},
	})
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(batch)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var message pb.Batch
		if proto.Unmarshal(b, &message) != nil {
			return
		}
		got, err := fromBatch(&message)
		if err != nil {
			return
		}
		for _, r := range got.Records {
			for _, value := range r.Fields {
				if !json.Valid(value) {
					return // judged where it is read
				}
			}
		}
		again, err := toBatch(got)
		if err != nil {
			t.Fatalf("%+v: %v", got, err)
		}
		back, err := fromBatch(again)
		if err != nil || !reflect.DeepEqual(back, got) {
			t.Fatalf("got %+v, then %+v, %v", got, back, err)
		}
	})
}
