package app

import (
	"net/http"
	"sync/atomic"
)

// swapped is an HTTP handler that can be replaced while it serves. Requests under
// way end with the handler that they began with.
type swapped struct{ current atomic.Pointer[http.Handler] }

func (s *swapped) set(h http.Handler) { s.current.Store(&h) }

// ServeHTTP implements [http.Handler].
func (s *swapped) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.current.Load()).ServeHTTP(w, r)
}
