package httpfault_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
)

func TestHandler(t *testing.T) {
	expired := 0
	h := httpfault.New(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), func() { expired++ })
	ask := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody))
		return w
	}
	if w := ask(); w.Code != http.StatusNoContent {
		t.Errorf("well: %d", w.Code)
	}
	h.Fault(conformance.Fault{Kind: conformance.FaultThrottle, RetryAfter: 7 * time.Second})
	if w := ask(); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "7" {
		t.Errorf("throttle: %d %v", w.Code, w.Header())
	}
	h.Fault(conformance.Fault{Kind: conformance.FaultThrottle})
	if w := ask(); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "" {
		t.Errorf("throttle without an end: %d %v", w.Code, w.Header())
	}
	h.Fault(conformance.Fault{Kind: conformance.FaultOutage})
	if w := ask(); w.Code != http.StatusInternalServerError {
		t.Errorf("outage: %d", w.Code)
	}
	h.Fault(conformance.Fault{Kind: conformance.FaultExpiry, After: 1})
	for range 3 {
		ask()
	}
	if expired != 1 {
		t.Errorf("tokens ended %d times, want 1", expired)
	}
	h.Fault(conformance.Fault{Kind: conformance.FaultHang})
	ended := make(chan int)
	go func() { ended <- ask().Code }()
	h.Fault(conformance.Fault{Kind: conformance.FaultNone})
	if code := <-ended; code != http.StatusNoContent && code != http.StatusInternalServerError {
		t.Errorf("after a hang: %d", code)
	}
	if httpfault.New(h, nil).Fault(conformance.Fault{Kind: conformance.FaultExpiry}) {
		t.Error("tokens end that there are not")
	}
}
