package mapping_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/expr"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/sandbox"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// company are the records of a sandbox company, and some of models that it does
// not have.
func company() map[event.RecordKey]*event.Record {
	out := make(map[event.RecordKey]*event.Record)
	add := func(k event.RecordKey, deleted bool, fields map[string]json.RawMessage) {
		r := &event.Record{Key: k, Version: 1, Written: event.Stamp{At: 1}, Fields: make(map[string]event.Field)}
		if deleted {
			r.Tombstone = event.Stamp{At: 2}
		}
		for name, value := range fields {
			r.Fields[name] = event.Field{Value: value, Stamp: r.Written, Version: 1}
		}
		out[k] = r
	}
	for _, r := range sandbox.New(sandbox.Options{Seed: 1, Records: 120}).Expected() {
		add(event.RecordKey{Source: "rootfi", CompanyID: r.CompanyID, Integration: r.Integration, Model: r.Model, PlatformID: r.PlatformID}, r.Deleted, r.Fields)
	}
	for id, name := range map[string]string{"p1": `"Ada King Lovelace"`, "p2": `"Cher"`, "p3": "null"} {
		add(event.RecordKey{Source: "rootfi", CompanyID: "1", Integration: "ZOHO", Model: "CRM_CONTACTS", PlatformID: id}, false,
			map[string]json.RawMessage{"name": json.RawMessage(name), "phone_numbers": json.RawMessage(`[{"number":"+1"}]`)})
	}
	return out
}

func packed(t *testing.T, name string) *mapping.Plans {
	t.Helper()
	f, err := config.Parse("pack.yaml", []byte("sources: {rootfi: {type: rootfi, auth: none}}\ndestinations: {d: {plugin: file}}\nroutes: [{name: r, to: [d], pack: "+name+"}]\n"), config.Resolver{})
	if err != nil || len(f.Diagnostics) > 0 {
		t.Fatalf("%v %v", err, f.Diagnostics)
	}
	plans, err := mapping.Compile(f.Config.Flat())
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

// Every pack maps every record of a sandbox company; one of each model is shown.
func TestPacks(t *testing.T) {
	records := company()
	keys := slices.SortedFunc(maps.Keys(records), func(a, b event.RecordKey) int { return strings.Compare(a.String(), b.String()) })
	if len(config.Packs()) < 3 {
		t.Fatalf("packs: %v", config.Packs())
	}
	for _, name := range config.Packs() {
		t.Run(name, func(t *testing.T) {
			pack, err := config.LoadPack(name)
			if err != nil {
				t.Fatal(err)
			}
			plans := packed(t, name)
			shown := make(map[string]int)
			var out strings.Builder
			for _, k := range keys {
				if _, ok := pack.Models[k.Model]; !ok {
					continue
				}
				got, err := plans.For("r", "d", k.Model).Record(mapping.Merged{Record: records[k], Lookup: func(model, id string) *expr.Object {
					of := k
					of.Model, of.PlatformID = model, id
					if r := records[of]; r != nil && !r.Deleted() {
						return expr.NewObject(model, r.Visible())
					}
					return nil
				}})
				if err != nil {
					t.Errorf("%s: %v", k, err)
					continue
				}
				if shown[k.Model]++; shown[k.Model] > 2 {
					continue
				}
				fmt.Fprintf(&out, "%s\n  %s %v %v\n", k, got.Object, got.KeyFields, got.Types)
				fmt.Fprintf(&out, "  %s\n", show(got.Record))
				for _, c := range got.Children {
					fmt.Fprintf(&out, "  %s %s\n", c.Object, show(c.Record))
				}
			}
			for model := range pack.Models {
				if shown[model] == 0 {
					t.Errorf("there is no record of %s", model)
				}
			}
			file := filepath.Join("testdata", strings.ReplaceAll(name, "/", "-")+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || out.String() != string(want) {
				t.Errorf("%s (%v): got\n%s", file, err, out.String())
			}
		})
	}
}

// What a pack names is in the catalog.
func TestPacksFitTheCatalog(t *testing.T) {
	for _, name := range config.Packs() {
		pack, err := config.LoadPack(name)
		if err != nil {
			t.Fatal(err)
		}
		for model, m := range pack.Models {
			known := expr.FieldTypes(model)
			if known == nil {
				t.Errorf("%s: %s is not in the catalog", name, model)
			}
			check := func(place, source, item string) {
				c, err := expr.Check(source, expr.Scope{Model: model, Item: item})
				if err != nil {
					t.Errorf("%s: %s: %s: %v", name, model, place, err)
				} else if len(c.Warnings) > 0 {
					t.Errorf("%s: %s: %s: %s", name, model, place, c.Warnings[0].Text)
				}
			}
			fields := func(f *config.Fields, known map[string]string) {
				if f == nil {
					return
				}
				for _, field := range f.Include {
					if _, ok := known[field]; !ok {
						t.Errorf("%s: %s has no field %s", name, model, field)
					}
				}
			}
			fields(m.Fields, known)
			for field, source := range m.Map {
				check(field, source, "")
			}
			for list, c := range m.Expand {
				item := config.ItemModel(model, list)
				fields(c.Fields, expr.FieldTypes(item))
				for field, source := range c.Map {
					check(list+"."+field, source, item)
				}
			}
			for parent, field := range m.DependsOn {
				if of := expr.References(model)[field]; of != parent {
					t.Errorf("%s: %s.%s names a record of %q, not of %s", name, model, field, of, parent)
				}
				if _, ok := pack.Models[parent]; !ok {
					t.Errorf("%s: %s depends on %s, which the pack does not map", name, model, parent)
				}
			}
		}
	}
}
