package app

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Whatever plugins say, a scrape works and shows what can be shown.
func TestPluginMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&pluginCollector{func(context.Context) map[string][]destination.Metric {
		return map[string][]destination.Metric{
			"crm": {
				{Name: "requests_total", Labels: map[string]string{"status": "200"}, Value: 5},
				{Name: "requests_total", Labels: map[string]string{"status": "200"}, Value: 6},
				{Name: "requests_total", Labels: map[string]string{"status": "429"}, Value: 1},
				{Name: "goroutines", Value: 12},
			},
			"warehouse": {{Name: "goroutines", Value: 9}, {Name: "requests_total", Value: 2}},
		}
	}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series := f.GetName()
			for _, l := range m.GetLabel() {
				series += " " + l.GetValue()
			}
			got[series] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if m.GetCounter() == nil == strings.HasSuffix(f.GetName(), "_total") {
				t.Errorf("%s has the wrong type", series)
			}
		}
	}
	want := map[string]float64{
		"sluice_plugin_goroutines crm":           12,
		"sluice_plugin_goroutines warehouse":     9,
		"sluice_plugin_requests_total crm 200":   5,
		"sluice_plugin_requests_total crm 429":   1,
		"sluice_plugin_requests_total warehouse": 2,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
