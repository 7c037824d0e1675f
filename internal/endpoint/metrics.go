package endpoint

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/event"
)

type metrics struct {
	acceptedTotal  *prometheus.CounterVec
	duplicateTotal *prometheus.CounterVec
	rejected       *prometheus.CounterVec
	seconds        *prometheus.HistogramVec
}

// newMetrics registers the metrics, or takes those that an earlier endpoint
// registered: they survive a reload of the configuration.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		acceptedTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_events_accepted_total",
			Help: "Events stored and acknowledged for the first time.",
		}, []string{"source", "kind"}),
		duplicateTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_events_duplicate_total",
			Help: "Requests acknowledged whose event was stored already.",
		}, []string{"source"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_requests_rejected_total",
			Help: "Webhook requests that were refused, by the code that the sender was told.",
		}, []string{"source", "reason"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_accept_seconds",
			Help:    "Time from the header of a webhook request to its acknowledgement.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"source"}),
	}
	if r == nil {
		return m, nil
	}
	err := errors.Join(
		register(r, &m.acceptedTotal),
		register(r, &m.duplicateTotal),
		register(r, &m.rejected),
		register(r, &m.seconds))
	if err != nil {
		return nil, fmt.Errorf("endpoint: register metrics: %w", err)
	}
	return m, nil
}

func register[C prometheus.Collector](r prometheus.Registerer, collector *C) error {
	err := r.Register(*collector)
	if registered, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := registered.ExistingCollector.(C); ok {
			*collector = existing
			return nil
		}
	}
	return err
}

// announce makes the series of a source before their first event: a rate over a
// series that appears with its first value misses that value.
func (m *metrics) announce(source string, limited bool) {
	for _, kind := range event.Kinds {
		m.acceptedTotal.WithLabelValues(source, string(kind))
	}
	m.duplicateTotal.WithLabelValues(source)
	m.rejected.WithLabelValues(source, problemUntrusted.code)
	if limited {
		m.rejected.WithLabelValues(source, problemTooFast.code)
	}
	m.seconds.WithLabelValues(source)
}

func (m *metrics) accept(source string, kind event.Kind, duplicate bool, took time.Duration) {
	m.seconds.WithLabelValues(source).Observe(took.Seconds())
	if duplicate {
		m.duplicateTotal.WithLabelValues(source).Inc()
		return
	}
	if !slices.Contains(event.Kinds, kind) {
		kind = event.KindUnknown
	}
	m.acceptedTotal.WithLabelValues(source, string(kind)).Inc()
}
