package sandbox_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/sandbox"
)

func drawOptions(t *rapid.T) sandbox.Options {
	o := sandbox.Options{
		Seed:      rapid.Uint64().Draw(t, "seed"),
		Companies: rapid.IntRange(1, 2).Draw(t, "companies"),
		Records:   rapid.IntRange(0, 100).Draw(t, "records"),
		Phases:    rapid.SliceOfN(rapid.SampledFrom(sandbox.Phases), 0, 3).Draw(t, "phases"),
		RecordsPerWebhook: sandbox.Range{
			Min: rapid.IntRange(0, 8).Draw(t, "min"), Max: rapid.IntRange(0, 30).Draw(t, "max"),
		},
	}
	for _, g := range sandbox.Generations {
		if rapid.Bool().Draw(t, string(g)) {
			o.Generations = append(o.Generations, g)
		}
	}
	return o
}

// Whatever the options: bodies repeat, are valid, never share a creation time
// within a company, and amount to the expected state in any order.
func TestScript(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOptions(t)
		s := sandbox.New(o)
		bodies := bodiesOf(s)
		again := bodiesOf(sandbox.New(o))
		if !slices.EqualFunc(bodies, again, bytes.Equal) {
			t.Fatal("the same options made different bodies")
		}

		seen, once := make(map[string]bool), make(map[string]int)
		ids := make(map[string]bool)
		last := make(map[string]time.Time)
		for ev := range s.Events() {
			if !json.Valid(ev.Body) {
				t.Fatalf("invalid JSON: %s", ev.Body)
			}
			if ids[ev.ID] {
				t.Fatalf("event id %s twice", ev.ID)
			}
			ids[ev.ID] = true
			if !ev.CreatedAt.After(last[ev.CompanyID]) {
				t.Fatalf("created at %v, not after %v", ev.CreatedAt, last[ev.CompanyID])
			}
			last[ev.CompanyID] = ev.CreatedAt
			b := decode(t, ev.Body)
			if b.CompanyID.String() != ev.CompanyID || b.Integration != ev.Integration || b.Model != ev.Model {
				t.Fatalf("event %+v does not describe its body", ev)
			}
			if ev.Type != sandbox.DataModelChanges {
				continue
			}
			elements := b.elements(t)
			if len(elements) != ev.Records || b.Claimed != nil && *b.Claimed != ev.Records {
				t.Fatalf("%d elements, %d counted", len(elements), ev.Records)
			}
			inBody := make(map[string]bool)
			for _, e := range elements {
				key := ev.CompanyID + ev.Model + string(e["platform_id"])
				if inBody[key] {
					t.Fatalf("%s twice in one body", key)
				}
				inBody[key] = true
				if ev.Generation == sandbox.V2 {
					once[key]++
				}
				if once[key] > 1 || once[key] == 1 && seen[key] {
					t.Fatalf("%s has a v2 body and another one", key)
				}
				seen[key] = true
			}
		}

		rng := rand.New(rand.NewPCG(1, 2))
		rng.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
		same(t, described(t, s.Expected()), replay(t, bodies))
	})
}

var token = regexp.MustCompile(`^[A-Za-z0-9]{15}$`)

func TestShapesOfBodies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		generations []sandbox.Generation
		want        map[sandbox.Generation]bool
	}{
		"default": {nil, map[sandbox.Generation]bool{sandbox.V3B: true}},
		"old":     {[]sandbox.Generation{sandbox.V3A}, map[sandbox.Generation]bool{sandbox.V3A: true}},
		"oldest":  {[]sandbox.Generation{sandbox.V2}, map[sandbox.Generation]bool{sandbox.V2: true, sandbox.V3B: true}},
		"mixed":   {sandbox.Generations, map[sandbox.Generation]bool{sandbox.V2: true, sandbox.V3A: true, sandbox.V3B: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := make(map[sandbox.Generation]bool)
			for ev := range sandbox.New(sandbox.Options{Seed: 7, Records: 300, Generations: test.generations}).Events() {
				got[ev.Generation] = true
				checkShape(t, ev)
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("generations %v, want %v", got, test.want)
			}
		})
	}
}

func checkShape(t *testing.T, ev *sandbox.Event) {
	t.Helper()
	b := decode(t, ev.Body)
	hasID := ev.Generation == sandbox.V3B && ev.Type != sandbox.ConnectionChanged
	if hasID && (b.ID != ev.ID || !token.MatchString(b.ID)) || !hasID && b.ID != "" {
		t.Fatalf("%s %s: rootfi_id %q, event id %q", ev.Generation, ev.Type, b.ID, ev.ID)
	}
	if want := ev.Type; ev.Generation != sandbox.V2 && b.Type != want {
		t.Fatalf("webhook_type %q, want %q", b.Type, want)
	}
	layout := "2006-01-02T15:04:05.000Z"
	if ev.Generation == sandbox.V2 {
		layout = time.DateOnly
	}
	v3aSync := ev.Generation == sandbox.V3A && ev.Type == sandbox.SyncCompleted
	if want := ev.CreatedAt.Format(layout); b.CreatedAt != want && !v3aSync {
		t.Fatalf("created_at %q, want %q", b.CreatedAt, want)
	}
	switch ev.Type {
	case sandbox.ConnectionChanged:
		if b.Connection == "" || b.Data != nil {
			t.Fatalf("connection changed: %s", ev.Body)
		}
	case sandbox.DataModelChanges:
		if hasID != (token.MatchString(b.SyncID) && token.MatchString(b.JobID)) {
			t.Fatalf("sync and job: %s", ev.Body)
		}
		if isObject := b.Data[0] == '{'; isObject != (ev.Generation == sandbox.V2) {
			t.Fatalf("data: %s", ev.Body)
		}
	}
}

// A script that never does what it is for would prove nothing to its users.
func TestScriptShowsEverything(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Seed: 1, Records: 1000})
	var partialCreates, failedSyncs, failedJobs, pushes, revivals int
	deleted := make(map[string]bool)
	operations := make(map[string]int)
	for ev := range s.Events() {
		b := decode(t, ev.Body)
		operations[ev.Type+ev.Operation+b.Connection]++
		switch ev.Type {
		case sandbox.SyncCompleted:
			var data struct {
				Status string
				Type   string
				Total  int      `json:"total_jobs_count"`
				Failed int      `json:"failed_jobs_count"`
				Models []string `json:"data_models"`
			}
			if err := json.Unmarshal(b.Data, &data); err != nil {
				t.Fatal(err)
			}
			if data.Total != len(data.Models) {
				t.Errorf("%d jobs, %d data models", data.Total, len(data.Models))
			}
			switch {
			case data.Status == "FAILED":
				failedSyncs++
			case data.Failed > 0:
				failedJobs++
			case data.Type == "PUSH":
				pushes++
			}
		case sandbox.DataModelChanges:
			for _, e := range b.elements(t) {
				key := ev.Model + string(e["platform_id"])
				switch {
				case ev.Operation == "DELETE":
					deleted[key] = true
				case deleted[key]:
					revivals++
					delete(deleted, key)
				case ev.Operation == "CREATE" && len(e) <= 3:
					partialCreates++
				}
			}
		}
	}
	for what, n := range map[string]int{
		"partial creates": partialCreates, "failed syncs": failedSyncs, "failed jobs": failedJobs, "pushes": pushes,
		"revivals": revivals, "expired": operations["CONNECTION_CHANGEDEXPIRED"], "healthy": operations["CONNECTION_CHANGEDHEALTHY"],
		"deletes": operations["DATA_MODEL_CHANGESDELETE"],
	} {
		if n == 0 {
			t.Errorf("no %s", what)
		}
	}
	counts := s.Counts()
	if len(counts) != 18 {
		t.Errorf("%d data models, want 18", len(counts))
	}
	records, unchanged := 0, 0
	for _, c := range counts {
		records += c.Records + c.Deleted
		unchanged += c.Unchanged
		if c.Unchanged == 0 && c.Model != "COMPANY_INFO" {
			t.Errorf("%s: the full sync resent nothing unchanged", c.Model)
		}
	}
	if records != len(s.Expected()) || records < 1000 || unchanged < 500 {
		t.Errorf("%d records (%d expected), %d unchanged", records, len(s.Expected()), unchanged)
	}
}

func TestPhasesOfEvents(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Seed: 3, Companies: 2, Records: 80})
	var joined [][]byte
	for _, phase := range sandbox.Phases {
		part := bodiesOf(s, phase)
		if len(part) == 0 {
			t.Errorf("%s: no events", phase)
		}
		joined = append(joined, part...)
	}
	if !slices.EqualFunc(joined, bodiesOf(s), bytes.Equal) {
		t.Error("the phases do not add up to the script")
	}
	if bytes.Equal(bodiesOf(s)[5], bodiesOf(sandbox.New(sandbox.Options{Seed: 4, Companies: 2, Records: 80}))[5]) {
		t.Error("another seed made the same bodies")
	}
	for ev := range s.Events() {
		if ev.Phase != sandbox.PhaseInitial {
			t.Errorf("the first event is of phase %s", ev.Phase)
		}
		break // leaving early must not hang or panic
	}
}

// The merge that the server uses must agree with the sandbox's own account.
func TestMergeAgreesWithExpected(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{
		Seed: 5, Records: 400, Companies: 3,
		Phases: []sandbox.Phase{sandbox.PhaseInitial, sandbox.PhaseFull, sandbox.PhaseIncremental, sandbox.PhaseFull},
	})
	records := make(map[event.RecordKey]*event.Record)
	var seq int64
	for ev := range s.Events() {
		if ev.Type != sandbox.DataModelChanges {
			continue
		}
		seq++
		for i, e := range decode(t, ev.Body).elements(t) {
			id, err := strconv.Unquote(string(e["platform_id"]))
			if err != nil {
				t.Fatal(err)
			}
			c := event.Change{
				Key:       event.RecordKey{CompanyID: ev.CompanyID, Integration: ev.Integration, Model: ev.Model, PlatformID: id},
				Operation: event.Operation(ev.Operation),
				Stamp:     event.Stamp{At: ev.CreatedAt.UnixMicro(), Seq: seq, Index: int64(i)},
				Fields:    make(map[string]json.RawMessage),
			}
			for name, value := range e {
				if c.Fields[name], err = event.Canonical(value); err != nil {
					t.Fatal(err)
				}
			}
			if records[c.Key] == nil {
				records[c.Key] = &event.Record{Key: c.Key}
			}
			records[c.Key].Merge(c)
		}
	}
	got := make(map[string]string)
	for key, r := range records {
		content := r.Content()
		if r.Deleted() {
			content = r.Visible()
		}
		fields := make(map[string]string)
		for name, value := range content {
			fields[name] = string(value)
		}
		got[key.String()[1:]] = describe(r.Deleted(), fields)
	}
	want := make(map[string]string)
	for _, r := range s.Expected() {
		fields := make(map[string]string)
		for name, value := range r.Fields {
			fields[name] = string(value)
		}
		want[r.CompanyID+"/"+r.Integration+"/"+r.Model+"/"+r.PlatformID] = describe(r.Deleted, fields)
	}
	same(t, got, want)
}

func BenchmarkEvents(b *testing.B) {
	s := sandbox.New(sandbox.Options{Seed: 1, Records: 5000, RecordsPerWebhook: sandbox.Range{Min: 1, Max: 1}})
	b.ReportAllocs()
	events, size := 0, 0
	for b.Loop() {
		for ev := range s.Events() {
			events++
			size += len(ev.Body)
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "bodies/s")
	b.ReportMetric(float64(size)/float64(events), "bytes/body")
}
