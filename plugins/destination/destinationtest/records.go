package destinationtest

import (
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

func upsert(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(
		put("a", 1, `{"memo":"first","amount":12.50,"paid":false}`),
		put("b", 1, `{"memo":"second","amount":7,"paid":true}`),
	))
	living := s.living(t, object)
	if len(living) != 2 {
		t.Fatalf("%d rows, want 2", len(living))
	}
	s.wantRow(t, living["a"], "a", `{"memo":"first","amount":12.50,"paid":false}`)
	s.wantRow(t, living["b"], "b", `{"memo":"second","amount":7,"paid":true}`)
}

func repeat(t *testing.T, s *suite) {
	d := s.start(t)
	for range 3 {
		deliver(t, d, records(put("a", 1, `{"memo":"m"}`)))
	}
	s.want(t, "a", `{"memo":"m"}`)
}

func newerVersion(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"old","note":"n"}`)))
	deliver(t, d, records(changed(put("a", 2, `{"memo":"new","note":"n"}`), "memo")))
	s.want(t, "a", `{"memo":"new","note":"n"}`)
	// Versions may jump: what was superseded is never sent.
	deliver(t, d, records(changed(put("a", 40, `{"memo":"newest","note":"n"}`), "memo")))
	s.want(t, "a", `{"memo":"newest","note":"n"}`)
}

func olderVersion(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 10, `{"memo":"new"}`)))
	deliver(t, d, records(put("a", 9, `{"memo":"old"}`))) // delivered: the newer one is there
	s.want(t, "a", `{"memo":"new"}`)
	deliver(t, d, records(drop("a", 8, `{"memo":"old"}`)))
	s.want(t, "a", `{"memo":"new"}`)
}

func olderVersionAfterRestart(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 2, `{"memo":"new"}`)))
	d.close(t)
	d = s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"old"}`)))
	s.want(t, "a", `{"memo":"new"}`)
	deliver(t, d, records(put("a", 3, `{"memo":"newer"}`)))
	s.want(t, "a", `{"memo":"newer"}`)
}

func versionsInOneBatch(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(
		put("a", 2, `{"memo":"two"}`),
		put("a", 3, `{"memo":"three"}`),
		put("a", 1, `{"memo":"one"}`),
	))
	s.want(t, "a", `{"memo":"three"}`)
}

// Changed says what differs from the last delivery, but that one may be gone.
func changedFieldsOfUnknownRecord(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(changed(put("a", 5, `{"memo":"m","amount":1.5,"note":"n"}`), "note")))
	s.want(t, "a", `{"memo":"m","amount":1.5,"note":"n"}`)
}

func differentFieldsInOneBatch(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(
		put("a", 1, `{"memo":"a","amount":1}`),
		put("b", 1, `{"note":"b"}`),
		put("c", 1, `{}`),
	))
	living := s.living(t, object)
	s.wantRow(t, living["a"], "a", `{"memo":"a","amount":1,"note":null}`)
	s.wantRow(t, living["b"], "b", `{"memo":null,"amount":null,"note":"b"}`)
	s.wantRow(t, living["c"], "c", `{"memo":null,"amount":null,"note":null}`)
}

func newFields(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`)))
	deliver(t, d, records(put("b", 1, `{"memo":"b","amount":2,"brand_new":"x"}`)))
	living := s.living(t, object)
	s.wantRow(t, living["a"], "a", `{"memo":"a","amount":null,"brand_new":null}`)
	s.wantRow(t, living["b"], "b", `{"memo":"b","amount":2,"brand_new":"x"}`)
}

func null(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"m","amount":3,"paid":true,"due_at":"2026-01-02T03:04:05Z","lines":[1]}`)))
	deliver(t, d, records(put("a", 2, `{"memo":null,"amount":null,"paid":null,"due_at":null,"lines":null}`)))
	s.want(t, "a", `{"memo":null,"amount":null,"paid":null,"due_at":null,"lines":null}`)
}

func remove(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`), put("b", 1, `{"memo":"b"}`)))
	for range 2 {
		deliver(t, d, records(drop("a", 2, `{"memo":"a"}`)))
		s.want(t, "b", `{"memo":"b"}`)
	}
	rows := 0
	for _, r := range s.rows(t, object) {
		if r["_platform_id"] == "a" {
			rows++
		}
	}
	if rows > 1 {
		t.Errorf("%d rows of the deleted record", rows)
	}
}

func deleteUnknown(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(drop("never", 3, `{}`)))
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`), drop("never", 4, `{"memo":"x"}`)))
	s.want(t, "a", `{"memo":"a"}`)
}

func olderVersionAfterDelete(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a"}`), drop("a", 3, `{"memo":"a"}`)))
	deliver(t, d, records(put("a", 2, `{"memo":"late"}`)))
	if living := s.living(t, object); len(living) != 0 {
		t.Errorf("an older version revived the record: %v", living)
	}
}

func revive(t *testing.T, s *suite) {
	d := s.start(t)
	deliver(t, d, records(put("a", 1, `{"memo":"a","note":"n"}`)))
	deliver(t, d, records(drop("a", 2, `{"memo":"a","note":"n"}`)))
	deliver(t, d, records(put("a", 3, `{"memo":"back","note":null}`)))
	s.want(t, "a", `{"memo":"back","note":null}`)
}

// The same key in two objects is two records.
func objects(t *testing.T, s *suite) {
	d := s.start(t)
	other := records(put("a", 1, `{"memo":"bill"}`))
	other.Object = "bills"
	deliver(t, d, records(put("a", 2, `{"memo":"invoice"}`)))
	deliver(t, d, other)
	s.want(t, "a", `{"memo":"invoice"}`)
	s.wantRow(t, s.living(t, "bills")["a"], "a", `{"memo":"bill"}`)
}

// One record that cannot be written must not take the others with it.
func badRecord(t *testing.T, s *suite) {
	d := s.start(t)
	results := write(t, d, records(
		put("a", 1, `{"memo":"a"}`),
		put("nul", 1, `{"memo":"x\u0000y","lines":["\u0000"]}`), // PostgreSQL has no such text
		put("b", 1, `{"memo":"b"}`),
	))
	for i, id := range map[int]string{0: "a", 2: "b"} {
		if results[i].Kind != destination.Delivered {
			t.Errorf("record %q beside a bad one: %v %s", id, results[i].Kind, results[i].Message)
		}
		s.wantRow(t, s.living(t, object)[id], id, `{"memo":"`+id+`"}`)
	}
	if k := results[1].Kind; k != destination.Delivered && k != destination.Rejected {
		t.Errorf("the bad record: %v, want rejected (or delivered, if it can be stored)", k)
	}
}

// A newer Sluice may ask for more than a plugin knows.
func unknownOperation(t *testing.T, s *suite) {
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
