package event_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/internal/event"
)

// BenchmarkRecord is what becomes of a record in memory on its way: it is merged,
// stored, and loaded for its delivery.
func BenchmarkRecord(b *testing.B) {
	fields := make(map[string]json.RawMessage)
	for i := range 20 {
		fields[fmt.Sprintf("field_%02d", i)] = json.RawMessage(fmt.Sprintf(`"value %d of the field"`, i))
	}
	one := event.Change{Operation: event.Update, Stamp: event.Stamp{At: 1, Seq: 1}, Fields: fields}
	b.ReportAllocs()
	for b.Loop() {
		var r, loaded event.Record
		if !r.Merge(one) {
			b.Fatal("a new record has not changed")
		}
		state, err := r.EncodeState()
		if err != nil {
			b.Fatal(err)
		}
		if err := loaded.DecodeState(state); err != nil {
			b.Fatal(err)
		}
	}
}
