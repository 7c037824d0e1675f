package host

import (
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

func TestWellFormed(t *testing.T) {
	long := make([]byte, maxLabelLength+1)
	for i := range long {
		long[i] = 'x'
	}
	list := []destination.Metric{
		{Name: "good_total", Labels: map[string]string{"status": "200"}, Value: 1},
		{Name: "Bad-Name"}, {Name: ""},
		{Name: "label", Labels: map[string]string{"Bad-Name": "x"}},
		{Name: "label", Labels: map[string]string{"destination": "another"}},
		{Name: "label", Labels: map[string]string{"text": string(long)}},
		{Name: "labels", Labels: map[string]string{"a": "", "b": "", "c": "", "d": "", "e": ""}},
	}
	if got := wellFormed(list); len(got) != 1 || got[0].Name != "good_total" {
		t.Errorf("got %+v", got)
	}
	if got := wellFormed(make([]destination.Metric, 0)); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
	many := make([]destination.Metric, maxMetrics+5)
	for i := range many {
		many[i].Name = "many"
	}
	if got := wellFormed(many); len(got) != maxMetrics {
		t.Errorf("%d figures, want %d", len(got), maxMetrics)
	}
}
