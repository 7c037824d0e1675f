package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

func of(model, body string) event.Event {
	ev := bills(body)
	ev.Model = model
	return ev
}

// written notes every record that a plugin is given, and accepts it unless
// refuse says otherwise.
func (b *pipe) written(refuse func(destination.Batch, destination.Record) *destination.Result) *[]string {
	var log []string
	b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
		out := delivered(batch)
		for i, r := range batch.Records {
			if refuse != nil {
				if bad := refuse(batch, r); bad != nil {
					out[i] = *bad
					continue
				}
			}
			fields, _ := json.Marshal(r.Fields)
			log = append(log, fmt.Sprintf("%s %s %s %s", batch.Object, r.Operation, strings.Join(r.Key[2:], "|"), fields))
		}
		return out, nil
	}
	return &log
}

func (b *pipe) expect(log *[]string, want ...string) {
	b.Helper()
	if !slices.Equal(*log, want) {
		b.Errorf("written\n%s\nwant\n%s", strings.Join(*log, "\n"), strings.Join(want, "\n"))
	}
	*log = nil
}

// related() loads the records of a whole claim with one query for each step.
func TestRelatedRecordsAreLoadedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := routed(t, []string{"d"}, config.Route{Name: "r", Models: []string{"INVOICES"}, To: []string{"d"}, Mapping: config.Mapping{Map: map[string]string{
			"who": `related("CONTACTS", record.contact).name`, "country": `related("COUNTRIES", related("CONTACTS", record.contact).country).name`,
		}}})
		calls := 0
		b.a.store = &countingStore{b.Ledger, &calls}
		log := b.written(nil)
		batch := b.take(of("CONTACTS", `[{"id":"c1","name":"A","country":"de"},{"id":"c2","name":"B"}]`), of("COUNTRIES", `[{"id":"de","name":"Germany"}]`),
			of("INVOICES", `[{"id":"1","contact":"c1"},{"id":"2","contact":"c2"},{"id":"3","contact":"none"},{"id":"4"},{"id":"5","contact":"c1"}]`))
		b.apply(batch.ID)
		if err := b.deliverTo("d", batch.ID, 5); err != nil {
			t.Fatal(err)
		}
		b.expect(log, `invoices upsert 1 {"country":"Germany","who":"A"}`, `invoices upsert 2 {"country":null,"who":"B"}`,
			`invoices upsert 3 {"country":null,"who":null}`, `invoices upsert 4 {"country":null,"who":null}`, `invoices upsert 5 {"country":"Germany","who":"A"}`)
		if calls != 2 {
			t.Errorf("%d queries, want one for each of 2 steps", calls)
		}
	})
}

type countingStore struct {
	Store
	calls *int
}

func (s *countingStore) Related(ctx context.Context, keys []event.RecordKey) ([]event.Record, error) {
	*s.calls++
	return s.Store.Related(ctx, keys)
}

// A record whose mapping fails is given up and stops no other.
func TestFailedMappingIsADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := routed(t, []string{"d"}, config.Route{Name: "r", To: []string{"d"}, Mapping: config.Mapping{Map: map[string]string{"x": `10 / record.a`}}})
		log := b.written(nil)
		batch := b.take(of("M", `[{"id":"1","a":4},{"id":"2","a":0},{"id":"3","a":"secret"}]`))
		b.apply(batch.ID)
		if err := b.deliverTo("d", batch.ID, 5); err != nil {
			t.Fatal(err)
		}
		b.expect(log, `m upsert 1 {"x":2.5}`)
		letters := b.letters()
		if len(letters) != 2 {
			t.Fatalf("dead letters %+v", letters)
		}
		for _, l := range letters {
			if l.ErrorKind != "mapping" || !strings.HasPrefix(l.Message, "mapping of x: ") || strings.Contains(l.Message, "secret") {
				t.Errorf("dead letter %+v", l)
			}
		}
	})
}

func TestConditionsSeeTheRecordAndItsHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := routed(t, []string{"big", "paid", "log"},
			config.Route{Name: "big", Where: `record.total > 1000.00`, To: []string{"big"}},
			config.Route{Name: "paid", Where: `record.status == "PAID" && previous.status != "PAID" && has(change.status) && event.company_id == "1"`, To: []string{"paid"}},
			config.Route{Name: "log", Mode: "changes", Where: `change.total == 5`, To: []string{"log"}})
		step := func(body string, want map[string]int) {
			t.Helper()
			batch := b.take(of("INVOICES", body))
			got := waitingAt(b.apply(batch.ID))
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: waiting %v, want %v", body, got, want)
			}
			b.written(nil)
			for name := range got {
				if err := b.deliverTo(name, batch.ID, 5); err != nil {
					t.Fatal(err)
				}
			}
		}
		step(`[{"id":"1","total":1000.01},{"id":"2","total":1000}]`, map[string]int{"big": 1})
		step(`[{"id":"1","status":"PAID"}]`, map[string]int{"big": 1, "paid": 1})
		step(`[{"id":"1","memo":"x"}]`, map[string]int{"big": 1})
		step(`[{"id":"2","total":5}]`, map[string]int{"log": 1})
	})
}

func TestUnroutedEventsAreCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := routed(t, []string{"d", "rest"},
			config.Route{Name: "r", Models: []string{"INVOICES"}, To: []string{"d"}},
			config.Route{Name: "rest", Events: []string{"*"}, CatchAll: true, To: []string{"rest"}})
		batch := b.take(of("INVOICES", `[{"id":"1"}]`), of("BILLS", `[{"id":"1"}]`), event.Event{Kind: event.KindSyncCompleted, Body: []byte(`{}`)})
		got := waitingAt(b.apply(batch.ID))
		if got["d"] != 1 || got["rest"] != 2 {
			t.Errorf("waiting %v", got)
		}
		b.apply(batch.ID)
		list, err := b.ListEvents(t.Context(), ledger.EventFilter{Unrouted: true})
		if err != nil || len(list) != 2 || list[0].Kind != event.KindSyncCompleted || list[1].Model != "BILLS" {
			t.Errorf("unrouted %+v, %v", list, err)
		}
	})
}

func lists(t *testing.T) *pipe {
	return routed(t, []string{"d"}, config.Route{Name: "r", To: []string{"d"}, Mapping: config.Mapping{
		Object: "docs", Fields: &config.Fields{Include: []string{"n"}}, Expand: config.Expand{"l": {Object: "lines", ID: "k"}},
	}})
}

func (b *pipe) step(ev event.Event, attempts int) {
	b.Helper()
	batch := b.take(ev)
	b.apply(batch.ID)
	if err := b.deliverTo("d", batch.ID, attempts); err != nil {
		b.Fatal(err)
	}
}

func TestElementsGoAfterTheirRecord(t *testing.T) {
	b := lists(t)
	log := b.written(nil)
	b.step(of("DOCS", `[{"id":"1","n":1,"l":[{"k":"a","v":1},{"k":"b","v":2}]}]`), 5)
	b.expect(log, `docs upsert 1 {"n":1}`, `lines upsert 1|a {"k":"a","v":1}`, `lines upsert 1|b {"k":"b","v":2}`)
	b.step(of("DOCS", `[{"id":"1","l":[{"k":"b","v":3},{"k":"c"}]}]`), 5)
	b.expect(log, `docs upsert 1 {"n":1}`, `lines upsert 1|b {"k":"b","v":3}`, `lines upsert 1|c {"k":"c"}`, `lines delete 1|a null`)
	gone := of("DOCS", `[{"id":"1"}]`)
	gone.Operation = event.Delete
	b.step(gone, 5)
	b.expect(log, `docs delete 1 {"n":1}`, `lines delete 1|b null`, `lines delete 1|c null`)
}

// What a call without an answer may have written is deleted with what is known.
func TestElementsOfALostCallAreRemembered(t *testing.T) {
	b := lists(t)
	lost := true
	log := b.written(nil)
	accept := b.w.write
	b.w.write = func(ctx context.Context, batch destination.Batch) ([]destination.Result, error) {
		out, err := accept(ctx, batch)
		if lost && batch.Object == "lines" {
			return nil, errors.New("no answer")
		}
		return out, err
	}
	batch := b.take(of("DOCS", `[{"id":"1","n":1,"l":[{"k":"a"},{"k":"b"}]}]`))
	b.apply(batch.ID)
	if _, err := b.attempt("d", batch.ID); err == nil {
		t.Fatal("no error of a call that was lost")
	}
	lost = false
	*log = nil
	b.step(of("DOCS", `[{"id":"1","l":[{"k":"b"}]}]`), 20)
	b.expect(log, `docs upsert 1 {"n":1}`, `lines upsert 1|b {"k":"b"}`, `lines delete 1|a null`)
}

// An element that is refused makes a dead letter of its record.
func TestRefusedElementRefusesTheRecord(t *testing.T) {
	b := lists(t)
	b.written(func(batch destination.Batch, r destination.Record) *destination.Result {
		if batch.Object == "lines" && r.Key[2] == "2" {
			return &destination.Result{Kind: destination.Rejected, Code: "BAD"}
		}
		return nil
	})
	b.step(of("DOCS", `[{"id":"1","l":[{"k":"a"}]},{"id":"2","l":[{"k":"a"},{"k":"b"}]}]`), 5)
	letters := b.letters()
	if len(letters) != 1 || letters[0].Key.PlatformID != "2" || letters[0].Code != "BAD" {
		t.Errorf("dead letters %+v", letters)
	}
}

// Elements keep to the plugin's limit, whatever the number of records.
func TestElementsKeepToTheLimit(t *testing.T) {
	b := lists(t)
	b.a.settings().Destinations["d"] = func() Destination { d := quick; d.MaxBatchRecords = 2; return d }()
	log := b.written(nil)
	b.step(of("DOCS", `[{"id":"1","n":1,"l":[{"k":"a"},{"k":"b"},{"k":"c"},{"k":"d"},{"k":"e"}]}]`), 5)
	if len(*log) != 6 || slices.Max(b.w.sizes) > 2 {
		t.Errorf("calls of %v records: %v", b.w.sizes, *log)
	}
}

func family(t *testing.T, d Destination) *pipe {
	b := routed(t, []string{"d"}, config.Route{Name: "r", To: []string{"d"}, Mapping: config.Mapping{DependsOn: map[string]string{"CONTACTS": "contact", "ITEMS": "parent"}}})
	b.a.settings().Destinations["d"] = d
	return b
}

func TestParentsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := family(t, quick)
		log := b.written(nil)
		b.step(func() event.Event { return of("CONTACTS", `[]`) }(), 5)
		batch := b.take(of("INVOICES", `[{"id":"i1","contact":"c1"},{"id":"i2"}]`), of("CONTACTS", `[{"id":"c1"}]`), of("ITEMS", `[{"id":"2","parent":"1"},{"id":"1"}]`))
		b.apply(batch.ID)
		if err := b.deliverTo("d", batch.ID, 10); err != nil {
			t.Fatal(err)
		}
		at := func(line string) int {
			i := slices.Index(*log, line)
			if i < 0 {
				t.Fatalf("%s was not written: %v", line, *log)
			}
			return i
		}
		if at(`contacts upsert c1 {}`) > at(`invoices upsert i1 {"contact":"c1"}`) || at(`items upsert 1 {}`) > at(`items upsert 2 {"parent":"1"}`) {
			t.Errorf("written %v", *log)
		}
	})
}

// A record waits for its parent without burning attempts, and goes with the
// parent's own attempt.
func TestARecordWaitsForItsParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		patient := quick
		patient.InitialInterval, patient.MaxInterval = time.Hour, time.Hour
		b := family(t, patient)
		log := b.written(nil)
		batch := b.take(of("INVOICES", `[{"id":"i1","contact":"c1"},{"id":"i2"}]`))
		b.apply(batch.ID)
		_, err := b.attempt("d", batch.ID)
		e := applicationError(t, err)
		if e.Type() != FailureNotDue || e.NextRetryDelay() < time.Minute {
			t.Errorf("the attempt said %v, again in %s", err, e.NextRetryDelay())
		}
		b.expect(log, `invoices upsert i2 {}`)
		states, err := b.RecordsByKey(t.Context(), event.RecordKey{PlatformID: "i1"})
		if err != nil || states[0].Deliveries[0].Attempts != 0 || states[0].Deliveries[0].Code != "parent_missing" {
			t.Errorf("%+v, %v", states, err)
		}
		b.step(of("CONTACTS", `[{"id":"c1"}]`), 3)
		b.expect(log, `contacts upsert c1 {}`, `invoices upsert i1 {"contact":"c1"}`)
		if n := b.pending(batch.ID); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

func TestAMissingParentIsADeadLetterInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hasty := quick
		hasty.MaxElapsed = 20 * time.Millisecond
		b := family(t, hasty)
		b.written(nil)
		batch := b.take(of("INVOICES", `[{"id":"i1","contact":"secret"}]`))
		b.apply(batch.ID)
		if err := b.deliverTo("d", batch.ID, 100); err != nil {
			t.Fatal(err)
		}
		letters := b.letters()
		if len(letters) != 1 || letters[0].ErrorKind != "parent_missing" || letters[0].Message != "waits for its parent: the record of CONTACTS that contact names is not at d" {
			t.Errorf("dead letters %+v", letters)
		}
	})
}

// A destination that says that a parent is missing lets the record wait as well.
func TestDependencyOfThePluginCountsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := family(t, quick)
		missing := true
		b.written(func(batch destination.Batch, _ destination.Record) *destination.Result {
			if missing && batch.Object == "invoices" {
				return &destination.Result{Kind: destination.Dependency, Code: "FK"}
			}
			return nil
		})
		b.step(of("CONTACTS", `[{"id":"c1"}]`), 5)
		batch := b.take(of("INVOICES", `[{"id":"i1","contact":"c1"}]`))
		b.apply(batch.ID)
		for range 3 {
			if _, err := b.attempt("d", batch.ID); err == nil {
				t.Fatal("delivered what its destination refused")
			} else if e, ok := errors.AsType[*temporal.ApplicationError](err); !ok || e.Type() != FailureNotDue {
				t.Fatal(err)
			}
		}
		states, err := b.RecordsByKey(t.Context(), event.RecordKey{PlatformID: "i1"})
		if err != nil || states[0].Deliveries[0].Attempts != 0 || states[0].Deliveries[0].Code != "FK" {
			t.Errorf("%+v, %v", states, err)
		}
		missing = false
		if err := b.deliverTo("d", batch.ID, 100); err != nil {
			t.Fatal(err)
		}
	})
}

// Sources name parents by text or by number, as their platform ids are.
func TestAParentMayBeNamedByANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := family(t, quick)
		log := b.written(nil)
		batch := b.take(of("INVOICES", `[{"id":"i1","contact":17},{"id":"i2","contact":null},{"id":"i3","contact":{}}]`))
		b.apply(batch.ID)
		if _, err := b.attempt("d", batch.ID); err == nil {
			t.Fatal("an invoice did not wait for its contact")
		}
		b.expect(log, `invoices upsert i2 {"contact":null}`, `invoices upsert i3 {"contact":{}}`)
		b.step(of("CONTACTS", `[{"id":"17"}]`), 20)
		b.expect(log, `contacts upsert 17 {}`, `invoices upsert i1 {"contact":17}`)
	})
}

// A record with more elements than one claim has time for goes over several:
// what is there already is not written again.
func TestElementsOfALongListGoOverSeveralClaims(t *testing.T) {
	b := lists(t)
	d := quick
	d.MaxBatchRecords, d.Timeout = 1, time.Minute
	b.a.settings().Destinations["d"] = d
	log := b.written(nil)
	room := 0
	b.a.pace = func(context.Context, string, float64, time.Duration) (time.Duration, bool, error) {
		if room--; room < 0 {
			return time.Millisecond, false, nil
		}
		return 0, true, nil
	}
	d.WritesPerSecond = 1
	b.a.settings().Destinations["d"] = d
	batch := b.take(of("DOCS", `[{"id":"1","n":1,"l":[{"k":"a"},{"k":"b"},{"k":"c"},{"k":"d"},{"k":"e"}]}]`))
	b.apply(batch.ID)
	for range 5 {
		room = 3
		if _, err := b.attempt("d", batch.ID); err == nil {
			break
		}
	}
	if n := b.pending(batch.ID); n != 0 {
		t.Errorf("still waiting after five claims with room for three calls each: %v", *log)
	}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		line := fmt.Sprintf(`lines upsert 1|%s {"k":"%s"}`, id, id)
		if n := len(slices.DeleteFunc(slices.Clone(*log), func(l string) bool { return l != line })); n != 1 {
			t.Errorf("%s was written %d times", id, n)
		}
	}
	// The next version writes all of them again.
	*log, room = nil, 100
	b.step(of("DOCS", `[{"id":"1","n":2}]`), 5)
	if len(*log) != 6 {
		t.Errorf("written %v", *log)
	}
}
