package main

import (
	"reflect"
	"slices"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/plugins/destination"
)

func TestCheckObject(t *testing.T) {
	for name, tt := range map[string]struct {
		properties, object string
		unknown            []string
		missing            bool
	}{
		"fixed":        {"fixed", "companies", []string{"nmae", "no name"}, false},
		"made":         {"create", "companies", []string{"no name"}, false},
		"no object":    {"fixed", "spaceships", nil, true},
		"not a name":   {"fixed", "a/b", nil, true},
		"other object": {"create", "deals", []string{"no name"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, account := open(t, fake.Options{}, map[string]any{"properties": tt.properties})
			got, err := d.CheckObject(t.Context(), tt.object, []string{"hs_object_id", "nmae", "no name"})
			if err != nil || got.Missing != tt.missing || !reflect.DeepEqual(got.Unknown, tt.unknown) {
				t.Fatalf("%+v, %v", got, err)
			}
			if !tt.missing && !slices.Contains(got.Known, "hs_object_id") {
				t.Errorf("known: %v", got.Known)
			}
			for _, c := range account.Calls() {
				if c.Method != "GET" {
					t.Errorf("%s %s", c.Method, c.Path)
				}
			}
		})
	}
}

func TestCheckObjectWithoutAccess(t *testing.T) {
	d, _ := open(t, fake.Options{}, map[string]any{"token": "wrong"})
	_, err := d.CheckObject(t.Context(), "companies", nil)
	if f, ok := err.(*destination.Failure); !ok || f.Kind != destination.Misconfigured {
		t.Error(err)
	}
}
