package pace_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/pace"
)

// counting answers at once and counts.
type counting struct{ n int }

func (c *counting) RoundTrip(*http.Request) (*http.Response, error) {
	c.n++
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
}

func TestTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perSecond = 10
		base := &counting{}
		client := &http.Client{Transport: pace.New(perSecond, base)}
		begun := time.Now()
		for range 3 * perSecond {
			resp, err := client.Transport.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			if err == nil {
				err = resp.Body.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took != 2*time.Second || base.n != 3*perSecond {
			t.Errorf("%d requests in %v, want 30 in 2s", base.n, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := client.Transport.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody)); err == nil || time.Since(begun) != 2*time.Second {
			t.Errorf("%v after %v: a request that cannot get its turn waited", err, time.Since(begun))
		}
	})
}
