package salesforce

import (
	"net/http"
	"strings"
)

// Mishaps are what the org can meet by itself; see [Options.Mishaps].
func Mishaps() []string {
	return []string{"throttle", "unavailable", "expire", "lock"}
}

// mishap plays what the plan has for a request, and reports whether that was the
// answer. One that is none changes what the request will meet.
func (s *Server) mishap(c *call) bool {
	upserts := c.r.Method == http.MethodPatch && strings.Contains(c.r.URL.Path, "/composite/sobjects/") ||
		c.r.Method == http.MethodPut
	name, ok := s.plan.Next(func(name string) bool { return name != "lock" || upserts })
	if !ok {
		return false
	}
	switch name {
	case "throttle":
		c.w.Header().Set("Retry-After", "1")
		c.refuse(http.StatusTooManyRequests, problem("TOO_MANY_REQUESTS", "too many requests"))
		return true
	case "unavailable":
		c.refuse(http.StatusServiceUnavailable, problem("SERVER_UNAVAILABLE", "the server is too busy"))
		return true
	case "expire":
		clear(s.tokens)
	case "lock":
		s.faults.locked = true
	}
	return false
}
