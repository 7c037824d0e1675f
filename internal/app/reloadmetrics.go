package app

import "github.com/prometheus/client_golang/prometheus"

// reloadMetrics say how changes of the configuration go.
type reloadMetrics struct {
	total      *prometheus.CounterVec
	successful prometheus.Gauge
	taken      prometheus.Gauge
}

func newReloadMetrics(r prometheus.Registerer, now func() *active) reloadMetrics {
	m := reloadMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_config_reloads_total",
			Help: "Attempts to take over a changed configuration, by result: success or refused.",
		}, []string{"result"}),
		successful: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_config_last_reload_successful",
			Help: "1 if the last attempt to take over a configuration succeeded, or there was none.",
		}),
		taken: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_config_last_reload_success_timestamp_seconds",
			Help: "When a configuration was last read without a problem.",
		}),
	}
	m.total.WithLabelValues("success")
	m.total.WithLabelValues("refused")
	m.successful.Set(1)
	m.taken.SetToCurrentTime()
	r.MustRegister(m.total, m.successful, m.taken, &revisionCollector{now})
	return m
}

func (m *reloadMetrics) count(err error) {
	if err != nil {
		m.total.WithLabelValues("refused").Inc()
		m.successful.Set(0)
		return
	}
	m.total.WithLabelValues("success").Inc()
	m.successful.Set(1)
	m.taken.SetToCurrentTime()
}

// revisionCollector tells the revision in force, and only that one.
type revisionCollector struct{ now func() *active }

var configInfo = prometheus.NewDesc("sluice_config_info", "1, labelled with the revision of the configuration in force.", []string{"revision"}, nil)

// Describe implements prometheus.Collector.
func (c *revisionCollector) Describe(ch chan<- *prometheus.Desc) { ch <- configInfo }

// Collect implements prometheus.Collector.
func (c *revisionCollector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(configInfo, prometheus.GaugeValue, 1, c.now().file.Revision)
}
