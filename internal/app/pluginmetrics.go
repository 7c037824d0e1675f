package app

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/plugins/destination"
)

// askTimeout bounds how long a scrape waits for plugins.
const askTimeout = time.Second

// pluginPrefix begins the names of what plugins show.
const pluginPrefix = "sluice_plugin_"

// pluginCollector shows the plugins' own figures as sluice_plugin_<name>. They are
// asked for at each scrape.
type pluginCollector struct {
	ask func(context.Context) map[string][]destination.Metric
}

// Describe implements prometheus.Collector: what there is is not known before.
func (c *pluginCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *pluginCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	for name, list := range c.ask(ctx) {
		seen := map[string]bool{}
		for _, m := range list {
			labels := slices.Sorted(maps.Keys(m.Labels))
			values := make([]string, 0, len(labels)+1)
			for _, l := range labels {
				values = append(values, m.Labels[l])
			}
			// Twice the same would fail the whole scrape.
			id := m.Name + "\x00" + strings.Join(append(slices.Clone(labels), values...), "\x00")
			if seen[id] {
				continue
			}
			seen[id] = true
			kind := prometheus.GaugeValue
			if strings.HasSuffix(m.Name, "_total") {
				kind = prometheus.CounterValue
			}
			// One help for all: two plugins may have one name.
			desc := prometheus.NewDesc(pluginPrefix+m.Name, "A figure that plugins give of themselves.", append(labels, "destination"), nil)
			if shown, err := prometheus.NewConstMetric(desc, kind, m.Value, append(values, name)...); err == nil {
				ch <- shown
			}
		}
	}
}
