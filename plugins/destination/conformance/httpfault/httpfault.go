// Package httpfault makes an HTTP handler misbehave as the conformance cases ask:
// it stands before the fake of an API, in tests of the plugin that writes to it.
package httpfault

import (
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination/conformance"
)

// Handler passes requests on while there is no fault.
type Handler struct {
	next   http.Handler
	expire func()

	mu     sync.Mutex
	fault  conformance.Fault
	calls  int           // since the fault began
	healed chan struct{} // closed at the end of the fault
}

// New returns a handler before next. expire makes the tokens that next gave out
// worthless; nil if it has none.
func New(next http.Handler, expire func()) *Handler {
	return &Handler{next: next, expire: expire, healed: make(chan struct{})}
}

// Fault is what a conformance.Subject needs.
func (h *Handler) Fault(f conformance.Fault) bool {
	if f.Kind == conformance.FaultExpiry && h.expire == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.healed)
	h.healed = make(chan struct{})
	h.fault, h.calls = f, 0
	return true
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	f, healed := h.fault, h.healed
	h.calls++
	expires := f.Kind == conformance.FaultExpiry && h.calls == f.After+1
	h.mu.Unlock()

	switch f.Kind {
	case conformance.FaultThrottle:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	case conformance.FaultOutage:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case conformance.FaultHang:
		// Without its body read, nobody notices that the client has gone.
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-healed:
		}
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	}
	if expires {
		h.expire()
	}
	h.next.ServeHTTP(w, r)
}
