package host

import (
	"context"
	"regexp"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
)

// What a plugin may show: more than that is a mistake of its author, which must
// not become everybody's.
const (
	maxMetrics     = 200
	maxLabels      = 4
	maxLabelLength = 64
)

var validMetric = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Metrics implements [destination.Meter]: the plugin's own figures.
func (c *Client) Metrics(ctx context.Context) ([]destination.Metric, error) {
	list, err := c.rpc.Metrics(ctx)
	return list, c.explain(err)
}

// Metrics asks every running plugin for its own figures, all at the same time, and
// returns them by destination. A plugin that has none, or does not answer before
// ctx ends, is left out; so is a figure that is not as [destination.Metric] says.
func (h *Host) Metrics(ctx context.Context) map[string][]destination.Metric {
	h.mu.Lock()
	meters := map[string]destination.Meter{}
	for name, p := range h.processes {
		if m := p.meter(); m != nil {
			meters[name] = m
		}
	}
	h.mu.Unlock()

	var mu sync.Mutex
	all := map[string][]destination.Metric{}
	var asked sync.WaitGroup
	for name, m := range meters {
		asked.Go(func() {
			list, err := m.Metrics(ctx)
			if err != nil {
				return // it has none, stops, or hangs: its state says so elsewhere
			}
			mu.Lock()
			defer mu.Unlock()
			all[name] = wellFormed(list)
		})
	}
	asked.Wait()
	return all
}

// meter is the running plugin, if it can be asked.
func (p *process) meter() destination.Meter {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, _ := p.current.(destination.Meter)
	return m
}

func wellFormed(list []destination.Metric) []destination.Metric {
	var good []destination.Metric
	for _, m := range list {
		fits := validMetric.MatchString(m.Name) && len(m.Labels) <= maxLabels
		for name, value := range m.Labels {
			fits = fits && validMetric.MatchString(name) && name != "destination" && len(value) <= maxLabelLength
		}
		if fits && len(good) < maxMetrics {
			good = append(good, m)
		}
	}
	return good
}
