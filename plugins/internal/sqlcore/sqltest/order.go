package sqltest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"pgregory.net/rapid"
)

// history draws the versions of one record as the ledger makes them: each has all
// fields that the ones before it had.
func history(t *rapid.T, id string) []destination.Record {
	fields := map[string]json.RawMessage{}
	var out []destination.Record
	version := int64(0)
	for range rapid.IntRange(1, 6).Draw(t, "versions of "+id) {
		version += rapid.Int64Range(1, 3).Draw(t, "step")
		for _, name := range []string{"amount", "memo", "odd", "Odd", "even"} {
			if rapid.Bool().Draw(t, "has "+name) {
				fields[name] = json.RawMessage(rapid.SampledFrom([]string{
					`1`, `-2.50`, `12345678901234567890.123456789`, `"text"`, `"n/a"`, `true`, `false`, `null`, `""`,
				}).Draw(t, name))
			}
		}
		r := put(id, version, `{}`)
		r.Fields = maps.Clone(fields)
		if rapid.IntRange(0, 3).Draw(t, "deletes") == 0 {
			r.Operation = destination.Delete
		}
		out = append(out, r)
	}
	return out
}

// anyOrder: permuted, repeated and split into batches over two processes, the
// same versions end in the same table.
func anyOrder(t *testing.T, p Place) {
	for _, remove := range []string{"soft", "hard"} {
		writers := []destination.Destination{p.Open(t, remove), p.Open(t, remove)}
		var tables atomic.Int64
		rapid.Check(t, func(rt *rapid.T) {
			table := fmt.Sprintf("%s_%d", remove, tables.Add(1))
			want := map[string]map[string]string{}
			var all []destination.Record
			for _, id := range []string{"a", "b", "c"} {
				records := history(rt, id)
				all = append(all, records...)
				last := records[len(records)-1]
				if last.Operation == destination.Upsert || remove == "soft" {
					want[id] = expected(last)
				}
			}
			for range rapid.IntRange(0, 4).Draw(rt, "repetitions") {
				all = append(all, rapid.SampledFrom(all).Draw(rt, "repeated"))
			}
			all = rapid.Permutation(all).Draw(rt, "order")
			for len(all) > 0 {
				n := rapid.IntRange(1, len(all)).Draw(rt, "batch")
				b := batch(table, all[:n]...)
				b.Types = map[string]destination.FieldType{"amount": destination.TypeNumber, "memo": destination.TypeText}
				deliver(t, rapid.SampledFrom(writers).Draw(rt, "writer"), b)
				all = all[n:]
			}
			got := p.state(t, table)
			if !reflect.DeepEqual(p.simple(got), p.simple(want)) {
				rt.Fatalf("got  %v\nwant %v", p.simple(got), p.simple(want))
			}
		})
	}
}

// expected is the row of a record.
func expected(r destination.Record) map[string]string {
	row := map[string]string{"_version": strconv.FormatInt(r.Version, 10)}
	if r.Operation == destination.Delete {
		row["_deleted_at"] = "set"
	}
	for name, value := range r.Fields {
		if text := string(value); text != "null" {
			row[name] = strings.Trim(text, `"`)
		}
	}
	return row
}

// simple makes rows comparable over databases: the time of deletion is only
// there or not, booleans are 0 and 1, and of two columns whose names differ in
// case only, either may have the name with a hash.
func (p Place) simple(rows map[string]map[string]string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for id, row := range rows {
		out[id] = map[string]string{}
		for name, value := range row {
			if name == "_deleted_at" {
				value = "set"
			}
			if rest, ok := strings.CutPrefix(name, "odd_"); ok && len(rest) == 12 {
				name = "odd"
			} else if rest, ok := strings.CutPrefix(name, "Odd_"); ok && len(rest) == 12 {
				name = "Odd"
			}
			switch value {
			case "true":
				value = "1"
			case "false":
				value = "0"
			}
			out[id][name] = p.number(value)
		}
	}
	return out
}

// writersOutOfOrder: two processes write the versions of the same records, each
// in an order of its own, at the same time.
func writersOutOfOrder(t *testing.T, p Place) {
	const keys, versions = 20, 25
	for _, remove := range []string{"soft", "hard"} {
		var wg sync.WaitGroup
		for w := range 2 {
			d := p.Open(t, remove)
			wg.Go(func() {
				random := rand.New(rand.NewPCG(uint64(w), 7))
				for _, v := range random.Perm(versions) {
					var list []destination.Record
					for _, k := range random.Perm(keys) {
						id := strconv.Itoa(k)
						r := put(id, int64(v+1), fmt.Sprintf(`{"amount":%d.50,"memo":"version %d"}`, v+1, v+1))
						// The last version of odd keys is a delete, and so are some others.
						if (v+k)%5 == 0 && v+1 < versions || v+1 == versions && k%2 == 1 {
							r.Operation = destination.Delete
						}
						list = append(list, r)
					}
					deliverAtLast(t, d, batch(remove, list...))
				}
			})
		}
		wg.Wait()
		got := p.state(t, remove)
		for k := range keys {
			row := got[strconv.Itoa(k)]
			switch {
			case k%2 == 1 && remove == "hard":
				if row != nil {
					t.Errorf("%s: key %d is there again: %v", remove, k, row)
				}
			case row == nil:
				t.Errorf("%s: key %d is missing", remove, k)
			case row["_version"] != strconv.Itoa(versions), row["amount"] != p.number(fmt.Sprintf("%d.50", versions)),
				(row["_deleted_at"] != "") != (k%2 == 1):
				t.Errorf("%s: key %d went back: %v", remove, k, row)
			}
		}
	}
}

// deliverAtLast writes until nothing is to be tried again. It may run beside the
// test's own goroutine.
func deliverAtLast(t *testing.T, d destination.Destination, b destination.Batch) {
	for attempt := 0; attempt < 20; attempt++ {
		results, err := d.Write(t.Context(), b)
		if f, ok := errors.AsType[*destination.Failure](err); ok && f.Kind == destination.Retry {
			continue
		}
		if err != nil {
			t.Errorf("write: %v", err)
			return
		}
		again := b.Records[:0:0]
		for i, r := range results {
			switch r.Kind {
			case destination.Delivered:
			case destination.Retry:
				again = append(again, b.Records[i])
			default:
				t.Errorf("record %q: %v %s: %s", b.Records[i].Key, r.Kind, r.Code, r.Message)
				return
			}
		}
		if b.Records = again; len(again) == 0 {
			return
		}
	}
	t.Error("a batch is retried for ever")
}

// racingTables: processes that know nothing of each other make the same table,
// add columns and widen them at the same time.
func racingTables(t *testing.T, p Place) {
	const writers, rounds = 4, 5
	for round := range rounds {
		table := fmt.Sprintf("race_%d", round)
		var wg sync.WaitGroup
		for w := range writers {
			d := p.Open(t, "soft")
			wg.Go(func() {
				for step := range 4 {
					value := strconv.Itoa(step)
					if step == 2 {
						value = `"text"`
					}
					deliverAtLast(t, d, batch(table, put(fmt.Sprintf("w%d-%d", w, step), 1,
						fmt.Sprintf(`{"own_%d_%d":1,"common_%d":%s,"all":%s}`, w, step, step, value, value))))
				}
			})
		}
		wg.Wait()
		got := p.state(t, table)
		if len(got) != writers*4 {
			t.Errorf("%d rows, want %d", len(got), writers*4)
		}
		for w := range writers {
			for step := range 4 {
				row := got[fmt.Sprintf("w%d-%d", w, step)]
				want := strconv.Itoa(step)
				if step == 2 {
					want = "text"
				}
				if row[fmt.Sprintf("own_%d_%d", w, step)] != "1" || row["all"] != want || row[fmt.Sprintf("common_%d", step)] != want {
					t.Errorf("writer %d, step %d: %v", w, step, row)
				}
			}
		}
	}
}
