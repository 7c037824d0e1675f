package chaos

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/proc"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func reportOf() *Report { return newReport(&Options{}) }

// wants checks that exactly these wrongs were found, each with a part of its
// text.
func wants(t *testing.T, r *Report, want ...Wrong) {
	t.Helper()
	if len(r.Wrong) != len(want) {
		t.Errorf("found %+v, want %+v", r.Wrong, want)
		return
	}
	for _, x := range want {
		if !slices.ContainsFunc(r.Wrong, func(got Wrong) bool { return got.What == x.What && strings.Contains(got.Detail, x.Detail) }) {
			t.Errorf("found %+v, want %+v", r.Wrong, x)
		}
	}
}

// play returns a small script and all that a perfect server stores of it.
func play() (sb *sandbox.Sandbox, ids []string, acks map[string]bool, stored []storedEvent) {
	sb = sandbox.New(sandbox.Options{Seed: 3, Records: 60, Generations: sandbox.Generations})
	acks = make(map[string]bool)
	for ev := range sb.Events() {
		ids = append(ids, ev.ID)
		acks[ev.ID] = true
		stored = append(stored, storedEvent{known(ev.ID), true})
	}
	return sb, ids, acks, stored
}

func TestTruth(t *testing.T) {
	sb, ids, acks, stored := play()
	whole := tellTruth(sb, acks, stored)
	r := reportOf()
	whole.judgeLoss(r)
	wants(t, r)
	if len(whole.expected) != len(sb.Expected()) || whole.uncertain != 0 {
		t.Errorf("%d records are expected, %d events uncertain", len(whole.expected), whole.uncertain)
	}

	// Acknowledged, and not there.
	r = reportOf()
	tellTruth(sb, acks, slices.Delete(slices.Clone(stored), 5, 6)).judgeLoss(r)
	wants(t, r, Wrong{wrongLoss, ids[5]})

	// Never acknowledged: there, or not there; both are right, and each has its
	// own truth.
	delete(acks, ids[5])
	with, without := tellTruth(sb, acks, stored), tellTruth(sb, acks, slices.Delete(slices.Clone(stored), 5, 6))
	for _, tr := range []*truth{with, without} {
		r = reportOf()
		tr.judgeLoss(r)
		wants(t, r)
	}
	if with.uncertain != 1 || without.uncertain != 0 || len(with.changes) <= len(without.changes) {
		t.Errorf("uncertain: %d and %d, changes %d and %d", with.uncertain, without.uncertain, len(with.changes), len(without.changes))
	}
	acks[ids[5]] = true

	// Stored, and not merged; and what nobody sent.
	r = reportOf()
	stored[7].applied = false
	tellTruth(sb, acks, append(stored, storedEvent{"ghost", true})).judgeLoss(r)
	wants(t, r, Wrong{wrongLoss, "1 events are stored and were not merged"}, Wrong{wrongState, "event ghost is in the ledger and was never sent"})
	stored[7].applied = true

	// A body without an id that came again after the window for duplicates.
	hashed := slices.IndexFunc(stored, func(s storedEvent) bool { return strings.HasPrefix(s.id, "sha256:") })
	r = reportOf()
	again := tellTruth(sb, acks, append(stored, storedEvent{stored[hashed].id + "-1700000000000", true}))
	again.judgeLoss(r)
	wants(t, r)
	if len(again.changes) <= len(whole.changes) {
		t.Error("the trail need not have the second one")
	}
}

func TestKeysMustBeThereOnce(t *testing.T) {
	r := reportOf()
	judgeKeys(r, "trail", map[string]int{"a": 1, "b": 2, "x": 1}, map[string]bool{"a": true, "b": true, "c": true})
	wants(t, r, Wrong{wrongState, "trail has b 2 times"}, Wrong{wrongState, "trail lacks c"}, Wrong{wrongState, "trail has x, which nobody sent"})
}

func sight(r sandbox.Record, version int64) sighting {
	return sighting{Key: recordKey(r.CompanyID, r.Model, r.PlatformID), Version: version, Deleted: r.Deleted, Fields: r.Fields}
}

func TestHook(t *testing.T) {
	expected := sandbox.New(sandbox.Options{Seed: 3, Records: 60}).Expected()
	var seen []sighting
	for _, r := range expected {
		if !refused(r.Model, r.PlatformID) {
			seen = append(seen, sight(r, 1), sight(r, 3), sight(r, 3))
		}
	}
	key := seen[0].Key
	spoil := func(change func([]sighting) []sighting) *Report {
		r := reportOf()
		judgeHook(r, change(slices.Clone(seen)), expected)
		return r
	}
	wants(t, spoil(func(s []sighting) []sighting { return s }))
	wants(t, spoil(func(s []sighting) []sighting { return s[3:] }), Wrong{wrongState, key + " is missing"})
	wants(t, spoil(func(s []sighting) []sighting { s[2].Version = 2; return s }), Wrong{wrongRegression, key + " at version 2 after 3"})
	wants(t, spoil(func(s []sighting) []sighting { s[2].Deleted = !s[2].Deleted; return s }), Wrong{wrongState, key + ": deleted is"})
	wants(t, spoil(func(s []sighting) []sighting { return append(s, sighting{Key: "1/ITEMS/ghost"}) }), Wrong{wrongState, "1/ITEMS/ghost is not expected"})
	wants(t, spoil(func(s []sighting) []sighting {
		i := slices.IndexFunc(s, func(x sighting) bool { return !x.Deleted }) + 2
		s[i].Fields = map[string]json.RawMessage{"ghost": json.RawMessage("1")}
		return s
	}), Wrong{wrongState, " is "})
}

func TestDeadLettersNeedAReason(t *testing.T) {
	var key event.RecordKey
	for n := 0; !refused(key.Model, key.PlatformID); n++ {
		key = event.RecordKey{Model: "ITEMS", PlatformID: strings.Repeat("x", n)}
	}
	r := reportOf()
	judgeDead(r, []ledger.DeadLetter{
		{ID: 1, Destination: destHook, ErrorKind: "rejected", Key: key},
		{ID: 2, Destination: destHook, Key: key},
		{ID: 3, Destination: destPostgres, ErrorKind: "exhausted", Key: key},
		{ID: 4, Destination: destHook, ErrorKind: "rejected", Key: event.RecordKey{Model: "ITEMS", PlatformID: "accepted"}},
	})
	wants(t, r, Wrong{wrongDead, "dead letter 2 to hook gives no reason"}, Wrong{wrongDead, "dead letter 3"}, Wrong{wrongDead, "dead letter 4"})
}

func TestLogsMayNotPanic(t *testing.T) {
	r := reportOf()
	judgeLog(r, "server-0", []byte("level=INFO msg=well\npanic: runtime error\ngoroutine 1\n"))
	wants(t, r, Wrong{wrongPanic, "server-0: panic: runtime error"})
}

func TestWhatTheDoctorFindsCounts(t *testing.T) {
	r := reportOf()
	judgeDoctor(r, "server-0", []byte(`[{"check": "disk", "problem": "5 MiB are free"}]`), nil)
	wants(t, r)
	judgeDoctor(r, "server-0", []byte(`[{"check": "counters", "object": "batch 7", "problem": "off"}]`), nil)
	judgeDoctor(r, "server-1", nil, os.ErrNotExist)
	wants(t, r, Wrong{wrongLedger, "server-0: sluice doctor: counters: batch 7: off"}, Wrong{wrongLedger, "server-1: sluice doctor: file does not exist"})
}

func TestAnOrphanIsFound(t *testing.T) {
	sleepPath, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sleepPath)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "sleep")
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Wait()
	}()
	ours := func(p proc.Process) bool {
		return strings.HasPrefix(p.Program, filepath.Dir(program)) && descends(p, os.Getpid())
	}
	r := reportOf()
	judgeOrphans(r, ours, 50*time.Millisecond)
	wants(t, r, Wrong{wrongOrphan, "sleep"})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	r = reportOf()
	judgeOrphans(r, ours, time.Second)
	wants(t, r)
}
