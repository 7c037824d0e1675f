package routing_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"pgregory.net/rapid"
)

func compile(t testing.TB, routes ...config.Route) *routing.Table {
	t.Helper()
	table, err := routing.Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// show writes matches as route>destination:object, mode left out unless asked.
func show(matches []routing.Match) string {
	var out []string
	for _, m := range matches {
		out = append(out, fmt.Sprintf("%s>%s:%s:%s", m.Route, m.Destination, m.Object, m.Mode))
	}
	return strings.Join(out, " ")
}

var invoice = routing.RecordInput{
	Source: "rootfi", Model: "INVOICES", CompanyID: "4711", Integration: "XERO", Operation: event.Update,
}

func TestRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		routes []config.Route
		in     func(*routing.RecordInput)
		want   string
	}{
		"a route without filters takes every record": {
			routes: []config.Route{{Name: "a", To: []string{"w"}}},
			want:   "a>w:invoices:records",
		},
		"all routes that match apply": {
			routes: []config.Route{{Name: "a", To: []string{"w"}}, {Name: "b", Models: []string{"INV*"}, To: []string{"x", "y"}}},
			want:   "a>w:invoices:records b>x:invoices:records b>y:invoices:records",
		},
		"the first route to a destination wins": {
			routes: []config.Route{{Name: "a", Mapping: config.Mapping{Object: "bills"}, To: []string{"w", "w"}}, {Name: "b", To: []string{"w", "x"}}},
			want:   "a>w:bills:records b>x:invoices:records",
		},
		"a changes route delivers no records and shadows none": {
			routes: []config.Route{{Name: "a", Mode: "changes", To: []string{"w"}}, {Name: "b", To: []string{"w"}}},
			want:   "b>w:invoices:records",
		},
		"models are compared without regard to case": {
			routes: []config.Route{{Name: "a", Models: []string{"bills", "in?oices"}, To: []string{"w"}}},
			want:   "a>w:invoices:records",
		},
		"a model that is not named does not match": {
			routes: []config.Route{{Name: "a", Models: []string{"BILLS", "INVOICE"}, To: []string{"w"}}},
		},
		"sources": {
			routes: []config.Route{{Name: "a", Sources: []string{"other"}, To: []string{"w"}}, {Name: "b", Sources: []string{"root*"}, To: []string{"x"}}},
			want:   "b>x:invoices:records",
		},
		"companies": {
			routes: []config.Route{{Name: "a", Companies: []string{"471"}, To: []string{"w"}}, {Name: "b", Companies: []string{"1", "4711"}, To: []string{"x"}}},
			want:   "b>x:invoices:records",
		},
		"integrations are compared without regard to case": {
			routes: []config.Route{{Name: "a", Integrations: []string{"xer?"}, To: []string{"w"}}, {Name: "b", Integrations: []string{"ZOHO*"}, To: []string{"x"}}},
			want:   "a>w:invoices:records",
		},
		"operations": {
			routes: []config.Route{{Name: "a", Operations: []string{"CREATE", "DELETE"}, To: []string{"w"}}, {Name: "b", Operations: []string{"UPDATE"}, To: []string{"x"}}},
			want:   "b>x:invoices:records",
		},
		"a route on other events takes no records": {
			routes: []config.Route{{Name: "a", Events: []string{"sync_completed"}, To: []string{"w"}}},
		},
		"a route on all events takes records": {
			routes: []config.Route{{Name: "a", Events: []string{"*"}, To: []string{"w"}}},
			want:   "a>w:invoices:records",
		},
		"an unknown company passes only a filter for all": {
			routes: []config.Route{{Name: "a", Companies: []string{"4711"}, To: []string{"w"}}, {Name: "b", Companies: []string{"*"}, To: []string{"x"}}},
			in:     func(in *routing.RecordInput) { in.CompanyID = "" },
			want:   "b>x:invoices:records",
		},
		"a record without a model has an object all the same": {
			routes: []config.Route{{Name: "a", To: []string{"w"}}},
			in:     func(in *routing.RecordInput) { in.Model = "" },
			want:   "a>w:unknown:records",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := invoice
			if tt.in != nil {
				tt.in(&in)
			}
			table := compile(t, tt.routes...)
			for range 2 { // the second answer is remembered
				if got := show(table.Records(in)); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}

func TestAppends(t *testing.T) {
	data := routing.EventInput{Source: "rootfi", Kind: event.KindDataModelChanges, Model: "INVOICES", CompanyID: "4711", Integration: "XERO", Operation: event.Update}
	sync := routing.EventInput{Source: "rootfi", Kind: event.KindSyncCompleted, CompanyID: "4711", Integration: "XERO"}
	unknown := routing.EventInput{Source: "rootfi", Kind: event.KindUnknown}
	for name, tt := range map[string]struct {
		routes []config.Route
		in     routing.EventInput
		want   string
	}{
		"a change goes to changes routes":                 {[]config.Route{{Name: "a", Mode: "changes", To: []string{"w"}}}, data, "a>w:invoices:changes"},
		"a change does not go to records routes":          {[]config.Route{{Name: "a", Events: []string{"*"}, To: []string{"w"}}}, data, ""},
		"an event goes whole, in mode records too":        {[]config.Route{{Name: "a", Events: []string{"*"}, To: []string{"w"}}}, sync, "a>w:events:events"},
		"an event goes whole in mode changes":             {[]config.Route{{Name: "a", Events: []string{"sync_completed"}, Mode: "changes", To: []string{"w"}}}, sync, "a>w:events:events"},
		"without events a route takes data only":          {[]config.Route{{Name: "a", To: []string{"w"}}, {Name: "b", Mode: "changes", To: []string{"w"}}}, sync, ""},
		"an unknown event goes whole":                     {[]config.Route{{Name: "a", Events: []string{"unknown"}, Mapping: config.Mapping{Object: "odd"}, To: []string{"w"}}}, unknown, "a>w:odd:events"},
		"models and operations are about data only":       {[]config.Route{{Name: "a", Events: []string{"*"}, Models: []string{"BILLS"}, Operations: []string{"DELETE"}, To: []string{"w"}}}, sync, "a>w:events:events"},
		"companies are about events too":                  {[]config.Route{{Name: "a", Events: []string{"*"}, Companies: []string{"1"}, To: []string{"w"}}}, sync, ""},
		"operations are those of the change":              {[]config.Route{{Name: "a", Mode: "changes", Operations: []string{"DELETE"}, To: []string{"w"}}, {Name: "b", Mode: "changes", Operations: []string{"UPDATE"}, To: []string{"w"}}}, data, "b>w:invoices:changes"},
		"one append for each destination, the first wins": {[]config.Route{{Name: "a", Mode: "changes", Mapping: config.Mapping{Object: "log"}, To: []string{"w"}}, {Name: "b", Mode: "changes", To: []string{"w", "x"}}}, data, "a>w:log:changes b>x:invoices:changes"},
	} {
		t.Run(name, func(t *testing.T) {
			table := compile(t, tt.routes...)
			for range 2 {
				if got := show(table.Appends(tt.in)); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	good := config.Route{Name: "a", To: []string{"w"}}
	for name, change := range map[string]func(*config.Route){
		"no name":           func(r *config.Route) { r.Name = "" },
		"no destination":    func(r *config.Route) { r.To = nil },
		"empty destination": func(r *config.Route) { r.To = []string{""} },
		"unknown mode":      func(r *config.Route) { r.Mode = "record" },
		"unknown kind":      func(r *config.Route) { r.Events = []string{"sync"} },
		"unknown operation": func(r *config.Route) { r.Operations = []string{"create"} },
		"bad model pattern": func(r *config.Route) { r.Models = []string{"[A]"} },
		"empty company":     func(r *config.Route) { r.Companies = []string{""} },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			change(&r)
			if _, err := routing.Compile([]config.Route{r}); err == nil {
				t.Error("no error")
			}
		})
	}
	if _, err := routing.Compile([]config.Route{good, good}); err == nil {
		t.Error("the same name twice: no error")
	}
}

func TestObject(t *testing.T) {
	table := compile(t, config.Route{Name: "a", Mapping: config.Mapping{Object: "deals"}, To: []string{"w"}}, config.Route{Name: "b", To: []string{"w"}})
	for name, want := range map[string]string{"a": "deals true", "b": " true", "c": " false"} {
		object, ok := table.Object(name)
		if got := fmt.Sprint(object, " ", ok); got != want {
			t.Errorf("Object(%q): got %q, want %q", name, got, want)
		}
	}
}

func TestOperationOf(t *testing.T) {
	for want, r := range map[event.Operation]event.Record{
		event.Create: {Version: 1, Written: event.Stamp{At: 1}},
		event.Update: {Version: 2, Written: event.Stamp{At: 1}},
		event.Delete: {Version: 1, Tombstone: event.Stamp{At: 1}},
	} {
		if got := routing.OperationOf(&r); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestExplain(t *testing.T) {
	table := compile(t,
		config.Route{Name: "bills", Models: []string{"BILLS"}, To: []string{"w"}},
		config.Route{Name: "all", To: []string{"w", "w", "x"}},
		config.Route{Name: "log", Mode: "changes", To: []string{"w"}},
		config.Route{Name: "again", Mapping: config.Mapping{Object: "o"}, To: []string{"x", "y"}},
	)
	var got []string
	for _, v := range table.ExplainRecord(invoice) {
		got = append(got, fmt.Sprintf("%s %v %s [%s] %v", v.Route, v.Matched, v.Reason, show(v.Matches), v.Shadowed))
	}
	want := []string{
		`bills false models does not match "INVOICES" [] []`,
		`all true  [all>w:invoices:records all>x:invoices:records] []`,
		`log false its mode is changes [] []`,
		`again true  [again>y:o:records] [x]`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// drawRoutes makes routes that overlap a lot.
func drawRoutes(t *rapid.T) []config.Route {
	some := func(label string, from ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(from), 0, 2).Draw(t, label)
	}
	var out []config.Route
	for i := range rapid.IntRange(0, 5).Draw(t, "routes") {
		out = append(out, config.Route{
			Name: strconv.Itoa(i), Sources: some("sources", "a", "b", "*"), Events: some("events", "*", "data_model_changes", "sync_completed"),
			Models: some("models", "INVOICES", "b*", "?ILLS"), Operations: some("operations", "CREATE", "UPDATE"),
			Companies: some("companies", "1", "2"), Integrations: some("integrations", "XERO", "z*"),
			Mode: rapid.SampledFrom([]string{"", "records", "changes"}).Draw(t, "mode"),
			To:   append(some("to", "w", "x"), "y"),
		})
	}
	return out
}

// What is remembered must be what would be decided, and what is explained what
// is done.
func TestAnswersAgreeWithExplanations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, err := routing.Compile(drawRoutes(t))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			in := routing.EventInput{
				Source: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source"), Kind: rapid.SampledFrom(event.Kinds).Draw(t, "kind"),
				Model:     rapid.SampledFrom([]string{"INVOICES", "bills", ""}).Draw(t, "model"),
				CompanyID: rapid.SampledFrom([]string{"1", "2", "3", ""}).Draw(t, "company"), Integration: rapid.SampledFrom([]string{"XERO", "ZOHO"}).Draw(t, "integration"),
				Operation: rapid.SampledFrom([]event.Operation{event.Create, event.Update, event.Delete}).Draw(t, "operation"),
			}
			check := func(got []routing.Match, verdicts []routing.Verdict) {
				var explained []routing.Match
				for _, v := range verdicts {
					explained = append(explained, v.Matches...)
				}
				if show(got) != show(explained) {
					t.Fatalf("%+v: got %s, explained %s", in, show(got), show(explained))
				}
				seen := map[string]bool{}
				for _, m := range got {
					if seen[m.Destination] {
						t.Fatalf("%s twice: %s", m.Destination, show(got))
					}
					seen[m.Destination] = true
				}
			}
			check(table.Appends(in), table.ExplainEvent(in))
			record := routing.RecordInput{Source: in.Source, Model: in.Model, CompanyID: in.CompanyID, Integration: in.Integration, Operation: in.Operation}
			check(table.Records(record), table.ExplainRecord(record))
		}
	})
}

func TestConcurrentUseWithMoreCompaniesThanAreRemembered(t *testing.T) {
	table := compile(t, config.Route{Name: "a", Companies: []string{"7", "*9"}, To: []string{"w"}})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			in := invoice
			for i := range 6000 {
				in.CompanyID = strconv.Itoa(i + g)
				want := in.CompanyID == "7" || strings.HasSuffix(in.CompanyID, "9")
				if got := len(table.Records(in)) == 1; got != want {
					t.Errorf("company %s: matched=%v", in.CompanyID, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAppendingToAnAnswerDoesNotChangeIt(t *testing.T) {
	table := compile(t, config.Route{Name: "a", To: []string{"w", "x", "y"}})
	first := table.Records(invoice)
	_ = append(first, routing.Match{Destination: "evil"})
	if got, want := show(table.Records(invoice)), show(first); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkRecords(b *testing.B) {
	var routes []config.Route
	for i := range 20 {
		routes = append(routes, config.Route{Name: strconv.Itoa(i), Models: []string{"INV*", "BILLS"}, Companies: []string{"4711"}, To: []string{"w", "x"}})
	}
	table := compile(b, routes...)
	for b.Loop() {
		table.Records(invoice)
	}
}
