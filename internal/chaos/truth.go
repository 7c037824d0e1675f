package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/sluicehq/sluice/internal/sandbox"
)

// truth is what must be everywhere in the end. What was acknowledged must be
// there. What was sent and never acknowledged may be there or not: the server
// says whether it has stored it, and is then held to it in every destination.
// What it has not stored must be nowhere.
type truth struct {
	expected  []sandbox.Record
	changes   map[string]bool // idempotency keys of all changes and events
	uncertain int             // stored without ever having been acknowledged
	lost      []string        // acknowledged and not stored
	unmerged  int             // stored and not applied
	foreign   []string        // stored and never sent
}

// known is the id under which the server knows an event: of a body without an
// id of its own, half of its hash.
func known(id string) string {
	const half = len("sha256:") + 32
	if strings.HasPrefix(id, "sha256:") && len(id) > half {
		return id[:half]
	}
	return id
}

func tellTruth(sb *sandbox.Sandbox, acks map[string]bool, stored []storedEvent) *truth {
	t := &truth{changes: make(map[string]bool)}
	events := make(map[string]*sandbox.Event)
	for ev := range sb.Events() {
		events[known(ev.ID)] = &sandbox.Event{ID: ev.ID, Type: ev.Type, Records: ev.Records}
	}
	arrived := make(map[string]bool)
	for _, s := range stored {
		ev := events[s.id]
		if cut := strings.LastIndexByte(s.id, '-'); ev == nil && strings.HasPrefix(s.id, "sha256:") && cut > 0 {
			// The same body once more, after the window for duplicates: an event
			// of its own, whose id ends with its time. A jump of the clock does it.
			ev = events[s.id[:cut]]
		}
		if ev == nil {
			t.foreign = append(t.foreign, s.id)
			continue
		}
		if !s.applied {
			t.unmerged++
		}
		if !acks[ev.ID] && !arrived[ev.ID] {
			t.uncertain++
		}
		arrived[ev.ID] = true
		if ev.Type != sandbox.DataModelChanges {
			t.changes["rootfi/"+s.id] = true
			continue
		}
		for i := range ev.Records {
			t.changes[fmt.Sprintf("rootfi/%s#%d", s.id, i)] = true
		}
	}
	for id := range acks {
		if !arrived[id] {
			t.lost = append(t.lost, id)
		}
	}
	t.expected = sb.ExpectedOf(func(ev *sandbox.Event) bool { return arrived[ev.ID] })
	return t
}

// shown is how many wrongs of one sort are told one by one.
const shown = 10

func (t *truth) judgeLoss(r *Report) {
	for i, id := range t.lost {
		if i == shown {
			r.fail(wrongLoss, "%d more events are lost", len(t.lost)-shown)
			break
		}
		r.fail(wrongLoss, "event %s was acknowledged and is not in the ledger", id)
	}
	if t.unmerged > 0 {
		r.fail(wrongLoss, "%d events are stored and were not merged", t.unmerged)
	}
	for _, id := range t.foreign[:min(shown, len(t.foreign))] {
		r.fail(wrongState, "event %s is in the ledger and was never sent", id)
	}
}

// judgeKeys wants everything once, and nothing else.
func judgeKeys(r *Report, name string, got map[string]int, want map[string]bool) {
	var problems []string
	for key := range want {
		if got[key] == 0 {
			problems = append(problems, "lacks "+key)
		}
	}
	for key, n := range got {
		switch {
		case !want[key]:
			problems = append(problems, "has "+key+", which nobody sent")
		case n > 1:
			problems = append(problems, fmt.Sprintf("has %s %d times", key, n))
		}
	}
	for i, p := range problems {
		if i == shown {
			r.fail(wrongState, "%s: %d more changes are missing or too many", name, len(problems)-shown)
			return
		}
		r.fail(wrongState, "%s %s", name, p)
	}
}

// judgeHook holds what a receiver was told against the truth. It sees every
// version that is delivered, some of them more than once, and none after a newer
// one.
func judgeHook(r *Report, seen []sighting, expected []sandbox.Record) {
	last := make(map[string]sighting)
	told := 0
	for _, s := range seen {
		old, ok := last[s.Key]
		if ok && s.Version < old.Version {
			if told++; told <= shown {
				r.fail(wrongRegression, "%s was told of %s at version %d after %d", destHook, s.Key, s.Version, old.Version)
			}
			continue
		}
		last[s.Key] = s
	}
	wrong := 0
	complain := func(format string, args ...any) {
		if wrong++; wrong <= shown {
			r.fail(wrongState, destHook+": "+format, args...)
		}
	}
	for _, want := range expected {
		key := recordKey(want.CompanyID, want.Model, want.PlatformID)
		got, ok := last[key]
		delete(last, key)
		switch {
		case refused(want.Model, want.PlatformID):
		case !ok:
			complain("%s is missing", key)
		case got.Deleted != want.Deleted:
			complain("%s: deleted is %v, want %v", key, got.Deleted, want.Deleted)
		case !want.Deleted:
			if name := differs(want.Fields, got.Fields); name != "" {
				complain("%s: %s is %s, want %s", key, name, got.Fields[name], want.Fields[name])
			}
		}
	}
	for key := range last {
		complain("%s is not expected", key)
	}
}

// differs names a field that is not as it must be. An absent one is as good as
// null.
func differs(want, got map[string]json.RawMessage) string {
	for name, v := range want {
		if !same(v, got[name]) {
			return name
		}
	}
	for name, v := range got {
		if !same(want[name], v) {
			return name
		}
	}
	return ""
}

func same(a, b json.RawMessage) bool { return reflect.DeepEqual(value(a), value(b)) }

func value(raw json.RawMessage) (v any) {
	if raw == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // money: its digits count
	if err := d.Decode(&v); err != nil {
		return err.Error()
	}
	return v
}
