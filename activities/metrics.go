package activities

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Metrics count what activities do. Labels come from bounded sets only.
type Metrics struct {
	records    *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	writes     *prometheus.HistogramVec
	batch      *prometheus.HistogramVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_records_applied_total",
			Help: "Records that webhooks spoke of, by outcome: changed (new version) or unchanged.",
		}, []string{"outcome"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_deliveries_settled_total",
			Help: "Results of delivery attempts: delivered, retry, waiting or dead.",
		}, []string{"destination", "outcome"}),
		writes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_delivery_write_seconds",
			Help:    "Duration of calls to a destination's plugin.",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 10),
		}, []string{"destination"}),
		batch: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "sluice_delivery_batch_records",
			Help:    "Records per call to a destination's plugin.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}, []string{"destination"}),
	}
	r.MustRegister(m.records, m.deliveries, m.writes, m.batch)
	return m
}

func (m *Metrics) applied(a ledger.Applied) {
	m.records.WithLabelValues("changed").Add(float64(a.Changed))
	m.records.WithLabelValues("unchanged").Add(float64(a.Unchanged))
}

func (m *Metrics) wrote(destination string, records int, took time.Duration) {
	m.writes.WithLabelValues(destination).Observe(took.Seconds())
	m.batch.WithLabelValues(destination).Observe(float64(records))
}

func (m *Metrics) settled(destination string, o ledger.Outcome) {
	outcome := map[ledger.OutcomeKind]string{
		ledger.OutcomeDelivered: "delivered", ledger.OutcomeRetry: "retry",
		ledger.OutcomeWait: "waiting", ledger.OutcomeDead: "dead",
	}[o.Result]
	m.deliveries.WithLabelValues(destination, outcome).Inc()
}
