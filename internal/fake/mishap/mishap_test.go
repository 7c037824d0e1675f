package mishap_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/fake/mishap"
)

func TestPlan(t *testing.T) {
	p := mishap.Plan{Names: []string{"a", "b"}, Every: 3}
	var met []string
	for call := range 14 {
		name, ok := p.Next(func(name string) bool { return name != "b" || call > 6 })
		if !ok {
			name = "-"
		}
		met = append(met, name)
	}
	if got, want := strings.Join(met, ""), "--a----b--a--b"; got != want {
		t.Errorf("met %s, want %s", got, want)
	}
	var none mishap.Plan
	if _, ok := none.Next(func(string) bool { return true }); ok {
		t.Error("no plan has a mishap")
	}
}

func TestParse(t *testing.T) {
	known := []string{"a", "b"}
	for text, want := range map[string][]string{"none": nil, "b": {"b"}, "all": known, "b,a": {"b", "a"}} {
		if got, err := mishap.Parse(strings.Split(text, ","), known); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := mishap.Parse([]string{"c"}, known); err == nil || !strings.Contains(err.Error(), "a, b, all, none") {
		t.Errorf("unknown: %v", err)
	}
}
