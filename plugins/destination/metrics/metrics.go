// Package metrics keeps a plugin's own figures, which Sluice shows beside its own.
// Embed a [Set] in the destination:
//
//	type crm struct {
//		metrics.Set
//		…
//	}
//
// and count: c.Count("requests_total", 1, "status", "200").
package metrics

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Set is the figures of a plugin. The zero value is ready; all methods may be
// called concurrently.
type Set struct {
	mu      sync.Mutex
	figures map[string]*destination.Metric
}

// Count adds n to a counter, whose name ends in _total. Labels are names and
// values in turn; values must come from a small set that is known before.
func (s *Set) Count(name string, n float64, labels ...string) {
	s.change(name, labels, func(m *destination.Metric) { m.Value += n })
}

// Gauge sets a figure that goes up and down.
func (s *Set) Gauge(name string, value float64, labels ...string) {
	s.change(name, labels, func(m *destination.Metric) { m.Value = value })
}

func (s *Set) change(name string, labels []string, change func(*destination.Metric)) {
	key := name + "\x00" + strings.Join(labels, "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.figures[key]
	if m == nil {
		if s.figures == nil {
			s.figures = map[string]*destination.Metric{}
		}
		m = &destination.Metric{Name: name, Labels: map[string]string{}}
		for i := 0; i+1 < len(labels); i += 2 {
			m.Labels[labels[i]] = labels[i+1]
		}
		s.figures[key] = m
	}
	change(m)
}

// Metrics implements [destination.Meter].
func (s *Set) Metrics(context.Context) ([]destination.Metric, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]destination.Metric, 0, len(s.figures))
	for _, key := range slices.Sorted(maps.Keys(s.figures)) {
		list = append(list, *s.figures[key])
	}
	return list, nil
}

// Transport counts requests by their status, or "none" without an answer, and the
// seconds that they took, as requests_total and request_seconds_total.
func (s *Set) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{set: s, base: base}
}

type transport struct {
	set  *Set
	base http.RoundTripper
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := t.base.RoundTrip(req)
	status := "none"
	if err == nil {
		status = strconv.Itoa(resp.StatusCode)
	}
	t.set.Count("requests_total", 1, "status", status)
	t.set.Count("request_seconds_total", time.Since(began).Seconds())
	return resp, err
}

// CloseIdleConnections lets http.Client.CloseIdleConnections through.
func (t *transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
