package destination

import "context"

// A Meter is a Destination with figures of its own. Embed a metrics.Set to be
// one. Sluice shows them with its own, named sluice_plugin_<name> and labelled
// with the destination, beside those that every plugin of the SDK has.
type Meter interface {
	Metrics(ctx context.Context) ([]Metric, error)
}

// Metric is one figure at a moment. Name and labels are lower-case words with _
// between; a name that ends in _total is a counter. Values of labels come from a
// small set that is known before: never from records or secrets.
type Metric struct {
	Name   string
	Labels map[string]string
	Value  float64
}
