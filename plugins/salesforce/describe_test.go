package main

import (
	"reflect"
	"slices"
	"testing"

	fake "github.com/sluicehq/sluice/internal/fake/salesforce"
	"github.com/sluicehq/sluice/plugins/destination"
)

func TestCheckObject(t *testing.T) {
	for name, tt := range map[string]struct {
		object  string
		fields  []string
		unknown []string
		known   string
		missing bool
	}{
		"fields":       {"Contact", []string{"LastName", "Lastname", "AccountId", "Account"}, []string{"Lastname"}, "Account", false},
		"relationship": {"Payment__c", []string{"Invoice__r", "Invoice__c", "Bill__r"}, []string{"Bill__r"}, "Invoice__r", false},
		"no object":    {"Accuont", []string{"Name"}, nil, "Account", true},
		"not a name":   {"../limits", []string{"Name"}, nil, "Account", true},
	} {
		t.Run(name, func(t *testing.T) {
			org, d := open(t, fake.Options{}, nil)
			got, err := d.CheckObject(t.Context(), tt.object, tt.fields)
			if err != nil || got.Missing != tt.missing || !reflect.DeepEqual(got.Unknown, tt.unknown) || !slices.Contains(got.Known, tt.known) {
				t.Fatalf("%+v, %v", got, err)
			}
			for _, r := range org.Requests() {
				if r.Method != "GET" {
					t.Errorf("%s %s", r.Method, r.Path)
				}
			}
		})
	}
}

func TestCheckObjectWithoutAccess(t *testing.T) {
	_, d := open(t, fake.Options{}, map[string]any{"client_secret": "wrong"})
	_, err := d.CheckObject(t.Context(), "Account", nil)
	if f, ok := err.(*destination.Failure); !ok || f.Kind != destination.Misconfigured {
		t.Error(err)
	}
}
