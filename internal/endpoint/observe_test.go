package endpoint_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/endpoint"
	"github.com/sluicehq/sluice/internal/event"
)

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := &store{}
	e := build(t, s, func(o *endpoint.Options) { o.Metrics = registry })
	// A reloaded configuration builds the endpoint again, over the same metrics.
	again := build(t, s, func(o *endpoint.Options) { o.Metrics = registry })
	for i, h := range []http.Handler{e.Handler(), again.Handler(), again.Handler()} {
		h.ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", []byte(fmt.Sprint(i%2)), nil))
	}
	again.Handler().ServeHTTP(httptest.NewRecorder(), request("/webhooks/made-up", nil, nil))
	again.Handler().ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", nil, map[string]string{"api_key": "x"}))
	want := []string{
		"sluice_accept_seconds{source=rootfi} 3",
		"sluice_events_accepted_total{kind=connection_changed,source=rootfi} 0",
		"sluice_events_accepted_total{kind=data_model_changes,source=rootfi} 0",
		"sluice_events_accepted_total{kind=integration,source=rootfi} 0",
		"sluice_events_accepted_total{kind=sync_completed,source=rootfi} 0",
		"sluice_events_accepted_total{kind=sync_started,source=rootfi} 0",
		"sluice_events_accepted_total{kind=unknown,source=rootfi} 2",
		"sluice_events_duplicate_total{source=rootfi} 1",
		"sluice_requests_rejected_total{reason=unauthenticated,source=rootfi} 1",
		"sluice_requests_rejected_total{reason=unknown_source,source=unknown} 1",
	}
	if got := gather(t, registry); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// gather lists all series, histograms by their count.
func gather(t testing.TB, g prometheus.Gatherer) []string {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			value := metric.GetCounter().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			out = append(out, fmt.Sprintf("%s{%s} %v", family.GetName(), strings.Join(labels, ","), value))
		}
	}
	return out
}

func TestPanicIsAnAnswer(t *testing.T) {
	var logged bytes.Buffer
	s := &store{}
	h := build(t, s, func(o *endpoint.Options) {
		o.MaxInFlight = 1
		o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
		o.Sources["rootfi"] = endpoint.Source{Anonymous: true, Parse: func(string, []byte, time.Time) (event.Event, error) {
			panic("cannot parse 4111111111111111")
		}}
	}).Handler()
	for range 3 { // the slot comes back each time
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/webhooks/rootfi", []byte("1"), nil))
		if w.Code != 500 {
			t.Fatalf("status %d", w.Code)
		}
		checkProblem(t, w.Body.Bytes(), "internal")
	}
	if !strings.Contains(logged.String(), "panic") || strings.Contains(logged.String(), "41111111") {
		t.Errorf("log: %s", logged.String())
	}
}

func TestLogs(t *testing.T) {
	var logged bytes.Buffer
	clock := now
	s := &store{}
	h := build(t, s, func(o *endpoint.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Now = func() time.Time { return clock }
	}).Handler()
	send := func(key, body string) {
		h.ServeHTTP(httptest.NewRecorder(), request("/webhooks/rootfi", []byte(body), map[string]string{"api_key": key}))
	}
	for range 25 {
		send("wr0ng-guess", "1")
	}
	if n := strings.Count(logged.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, logged.String())
	}
	clock = clock.Add(10 * time.Second)
	send("wr0ng-guess", "1")
	if s := logged.String(); strings.Count(s, "level=WARN") != 2 || !strings.Contains(s, "not_logged=24") {
		t.Errorf("the second warning does not count the others:\n%s", s)
	}
	send(secretKey, `{"card":"4111111111111111"}`)
	send(secretKey, `{"card":"4111111111111111"`)
	out := logged.String()
	if !strings.Contains(out, "event accepted") || !strings.Contains(out, "reason=not_json") {
		t.Errorf("log:\n%s", out)
	}
	for _, secret := range []string{secretKey, "wr0ng-guess", "41111111"} {
		if strings.Contains(out, secret) {
			t.Errorf("the log contains %q:\n%s", secret, out)
		}
	}
}
