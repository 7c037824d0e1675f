package metrics_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/metrics"
)

type crm struct{ metrics.Set }

var _ destination.Meter = (*crm)(nil)

func TestSet(t *testing.T) {
	var c crm
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c.Count("requests_total", 1, "status", "200")
			}
		})
	}
	wg.Wait()
	c.Count("requests_total", 2, "status", "500")
	c.Gauge("open_jobs", 3)
	c.Gauge("open_jobs", 1)
	got, err := c.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []destination.Metric{
		{Name: "open_jobs", Value: 1},
		{Name: "requests_total", Labels: map[string]string{"status": "200"}, Value: 800},
		{Name: "requests_total", Labels: map[string]string{"status": "500"}, Value: 2},
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i].Name != want[i].Name || got[i].Value != want[i].Value || !maps.Equal(got[i].Labels, want[i].Labels) {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

// answers returns an answer, or an error without a status.
type answers struct{ status int }

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	if a.status == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: a.status, Body: http.NoBody}, nil
}

func TestTransport(t *testing.T) {
	var s metrics.Set
	for _, status := range []int{200, 200, 429, 0} {
		resp, err := s.Transport(answers{status}).RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if (err == nil) != (status != 0) || err == nil && resp.StatusCode != status {
			t.Errorf("%d: %v", status, err)
		}
	}
	got, _ := s.Metrics(t.Context())
	counted := map[string]float64{}
	for _, m := range got {
		if m.Name == "requests_total" {
			counted[m.Labels["status"]] = m.Value
		}
	}
	if !maps.Equal(counted, map[string]float64{"200": 2, "429": 1, "none": 1}) {
		t.Errorf("counted %v", counted)
	}
}
