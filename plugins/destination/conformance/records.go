package conformance

import (
	"fmt"

	"github.com/sluicehq/sluice/plugins/destination"
)

func upsert(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(
		put("a", 1, `{"memo":"first","amount":12.50,"paid":false}`),
		put("b", 1, `{"memo":"second","amount":7,"paid":true}`),
	))
	s.wantAll(t, map[string]string{
		"a": `{"memo":"first","amount":12.50,"paid":false}`,
		"b": `{"memo":"second","amount":7,"paid":true}`,
	})
}

func repeat(t T, s *suite) {
	d := s.start(t)
	for range 3 {
		deliver(t, d, records(put("a", 1, `{"memo":"m"}`)))
	}
	s.want(t, "a", `{"memo":"m"}`)
}

func newerVersion(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"old","note":"n"}`)))
	deliver(t, d, records(changed(put("a", 2, `{"memo":"new","note":"n"}`), "memo")))
	s.want(t, "a", `{"memo":"new","note":"n"}`)
	// Versions may jump: what was superseded is never sent.
	deliver(t, d, records(changed(put("a", 40, `{"memo":"newest","note":"n"}`), "memo")))
	s.want(t, "a", `{"memo":"newest","note":"n"}`)
}

func olderVersion(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 10, `{"memo":"new"}`)))
	deliver(t, d, records(put("a", 9, `{"memo":"old"}`))) // delivered: the newer one is there
	s.want(t, "a", `{"memo":"new"}`)
	deliver(t, d, records(drop("a", 8, `{"memo":"old"}`)))
	s.want(t, "a", `{"memo":"new"}`)
}

func olderVersionAfterRestart(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 2, `{"memo":"new"}`)))
	d.close(t)
	d = s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"old"}`)))
	s.want(t, "a", `{"memo":"new"}`)
	deliver(t, d, records(put("a", 3, `{"memo":"newer"}`)))
	s.want(t, "a", `{"memo":"newer"}`)
}

func versionsInOneBatch(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(
		put("a", 2, `{"memo":"two"}`),
		put("a", 3, `{"memo":"three"}`),
		put("a", 1, `{"memo":"one"}`),
	))
	s.want(t, "a", `{"memo":"three"}`)
}

// Changed says what differs from the last delivery, but that one may be gone.
func changedFieldsOfUnknownRecord(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(changed(put("a", 5, `{"memo":"m","amount":1.5,"note":"n"}`), "note")))
	s.want(t, "a", `{"memo":"m","amount":1.5,"note":"n"}`)
}

func differentFieldsInOneBatch(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(
		put("a", 1, `{"memo":"a","amount":1}`),
		put("b", 1, `{"note":"b"}`),
		put("c", 1, `{}`),
	))
	s.wantAll(t, map[string]string{
		"a": `{"memo":"a","amount":1,"note":null}`,
		"b": `{"memo":null,"amount":null,"note":"b"}`,
		"c": `{"memo":null,"amount":null,"note":null}`,
	})
}

func newFields(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`)))
	deliver(t, d, records(put("b", 1, `{"memo":"b","amount":2,"brand_new":"x"}`)))
	s.wantAll(t, map[string]string{
		"a": `{"memo":"a","amount":null,"brand_new":null}`,
		"b": `{"memo":"b","amount":2,"brand_new":"x"}`,
	})
}

// An update says all fields and which of them changed. What Fields never said
// is not for a destination to guess: rows keep it, documents do not have it.
func partial(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"old","note":"n","amount":1.5}`), put("b", 1, `{"memo":"b","note":"m"}`)))
	deliver(t, d, records(
		changed(put("a", 2, `{"memo":"new","note":"n","amount":1.5}`), "memo"),
		changed(put("b", 2, `{"memo":"b","note":"other"}`), "note"),
	))
	s.wantAll(t, map[string]string{
		"a": `{"memo":"new","note":"n","amount":1.5}`,
		"b": `{"memo":"b","note":"other"}`,
	})
	deliver(t, d, records(put("a", 3, `{"memo":"newer"}`)))
	living, seen := s.living(t, object)
	switch _, kept := living["a"]["note"]; {
	case kept:
		s.wantRow(t, living["a"], "a", `{"memo":"newer","note":"n","amount":1.5}`)
		s.note("a field that is left out keeps its value")
	case seen:
		s.wantRow(t, living["a"], "a", `{"memo":"newer","note":null,"amount":null}`)
		s.note("a field that is left out is not there")
	}
}

func null(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"m","amount":3,"paid":true,"due_at":"2026-01-02T03:04:05Z","lines":[1]}`)))
	deliver(t, d, records(put("a", 2, `{"memo":null,"amount":null,"paid":null,"due_at":null,"lines":null}`)))
	s.want(t, "a", `{"memo":null,"amount":null,"paid":null,"due_at":null,"lines":null}`)
}

func remove(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`), put("b", 1, `{"memo":"b"}`)))
	for range 2 {
		deliver(t, d, records(drop("a", 2, `{"memo":"a"}`)))
		s.want(t, "b", `{"memo":"b"}`)
	}
	list, seen := s.rows(t, object)
	rows := 0
	for _, r := range list {
		if r["_platform_id"] == "a" {
			rows++
		}
	}
	switch {
	case rows > 1:
		t.Errorf("%d rows of the deleted record", rows)
	case rows == 1:
		s.note("the row is kept and marked")
	case seen:
		s.note("the row is removed")
	}
}

func deleteUnknown(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(drop("never", 3, `{}`)))
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`), drop("never", 4, `{"memo":"x"}`)))
	s.want(t, "a", `{"memo":"a"}`)
}

func olderVersionAfterDelete(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`), drop("a", 3, `{"memo":"a"}`)))
	deliver(t, d, records(put("a", 2, `{"memo":"late"}`)))
	if living, _ := s.living(t, object); len(living) != 0 {
		t.Errorf("an older version revived the record: %v", living)
	}
}

func revive(t T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a","note":"n"}`)))
	deliver(t, d, records(drop("a", 2, `{"memo":"a","note":"n"}`)))
	deliver(t, d, records(put("a", 3, `{"memo":"back","note":null}`)))
	s.want(t, "a", `{"memo":"back","note":null}`)
}

// The same key in two objects is two records.
func objects(t T, s *suite) {
	d := s.start(t)
	other := records(put("a", 1, `{"memo":"bill"}`))
	other.Object = "bills"
	deliver(t, d, records(put("a", 2, `{"memo":"invoice"}`)))
	deliver(t, d, other)
	s.want(t, "a", `{"memo":"invoice"}`)
	if living, seen := s.living(t, "bills"); seen {
		s.wantRow(t, living["a"], "a", `{"memo":"bill"}`)
	}
}

// One record that cannot be written must not take the others with it.
func badRecord(t T, s *suite) {
	d := s.start(t)
	const n, at = 40, 17
	batch := numbered(n)
	batch.Records[at] = put("nul", 1, `{"memo":"x\u0000y","lines":["\u0000"]}`) // PostgreSQL has no such text
	results := write(t, d, batch)
	living, seen := s.living(t, object)
	for i, r := range results {
		id := batch.Records[i].Origin.PlatformID
		switch {
		case i == at:
			if r.Kind != destination.Delivered && r.Kind != destination.Rejected {
				t.Errorf("the bad record: %v, want rejected (or delivered, if it can be stored)", r.Kind)
			}
			s.note("the bad record is " + r.Kind.String())
		case r.Kind != destination.Delivered:
			t.Errorf("record %q beside a bad one: %v %s", id, r.Kind, r.Message)
		case seen:
			s.wantRow(t, living[id], id, fmt.Sprintf(`{"memo":"record %d"}`, i))
		}
	}
}

// A newer Sluice may ask for more than a plugin knows.
func unknownOperation(t T, s *suite) {
	d := s.start(t)
	bad := put("x", 1, `{"memo":"x"}`)
	bad.Operation = "frobnicate"
	results := write(t, d, records(put("a", 1, `{"memo":"a"}`), bad))
	if results[0].Kind != destination.Delivered {
		t.Errorf("the good record: %v %s", results[0].Kind, results[0].Message)
	}
	if results[1].Kind != destination.Rejected {
		t.Errorf("the unknown operation: %v, want rejected", results[1].Kind)
	}
	s.want(t, "a", `{"memo":"a"}`)
}
