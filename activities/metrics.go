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
	unrouted   prometheus.Counter
	conditions *prometheus.CounterVec
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
			Help: "Results of delivery attempts: delivered, retry, waiting, blocked (for a parent) or dead.",
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
		unrouted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_events_unrouted_total",
			Help: "Events that no route takes, but for a catch_all.",
		}),
		conditions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_route_condition_failures_total",
			Help: "Conditions that could not be evaluated, by route: the route did not match.",
		}, []string{"route"}),
	}
	r.MustRegister(m.records, m.deliveries, m.writes, m.batch, m.unrouted, m.conditions)
	return m
}

func (m *Metrics) applied(a ledger.Applied) {
	m.records.WithLabelValues("changed").Add(float64(a.Changed))
	m.records.WithLabelValues("unchanged").Add(float64(a.Unchanged))
	m.unrouted.Add(float64(a.Unrouted))
}

func (m *Metrics) wrote(destination string, records int, took time.Duration) {
	m.writes.WithLabelValues(destination).Observe(took.Seconds())
	m.batch.WithLabelValues(destination).Observe(float64(records))
}

func (m *Metrics) settled(destination string, o ledger.Outcome) {
	outcome := map[ledger.OutcomeKind]string{
		ledger.OutcomeDelivered: "delivered", ledger.OutcomeRetry: "retry",
		ledger.OutcomeWait: "waiting", ledger.OutcomeBlocked: "blocked", ledger.OutcomeDead: "dead",
	}[o.Result]
	m.deliveries.WithLabelValues(destination, outcome).Inc()
}

func (m *Metrics) conditionFailed(route string) { m.conditions.WithLabelValues(route).Inc() }
