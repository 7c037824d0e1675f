package hubspot

import (
	"net/http"
	"slices"
	"strings"
)

// Mishaps are what the account can meet by itself; see [Options.Mishaps].
func Mishaps() []string {
	return []string{"whole-batch", "throttle", "unavailable", "silent", "expire", "limit"}
}

// mishap plays what the plan has for a call. A mishap that is no answer changes
// what the call will meet.
func (s *Server) mishap(path string, inputs int) (answer, bool) {
	writes := strings.HasSuffix(path, "/batch/create") || strings.HasSuffix(path, "/batch/upsert")
	name, ok := s.plan.Next(func(name string) bool {
		switch name {
		case "silent":
			return writes
		case "whole-batch":
			return writes && inputs > 1
		case "expire":
			return len(s.tokens) > 0
		}
		return true
	})
	if !ok {
		return answer{}, false
	}
	switch name {
	case "throttle":
		a := rateLimited("SECONDLY")
		a.header = map[string]string{"Retry-After": "1"}
		return a, true
	case "limit": // does not say how long
		return rateLimited("SECONDLY"), true
	case "unavailable":
		return fail(http.StatusBadGateway, "", http.StatusText(http.StatusBadGateway)), true
	case "silent":
		s.faults.Silent++
	case "expire":
		clear(s.tokens)
	case "whole-batch": // as of one bad record, which it does not name
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "One of the inputs is invalid"), true
	}
	return answer{}, false
}

// refused reports whether the account takes no record like this.
func (s *Server) refused(one input) *apiError {
	for name, value := range one.Properties {
		if slices.Contains(s.options.Refuse, value) {
			e := invalid("INVALID_OPTION", name, "this value is refused")
			return &e
		}
	}
	if slices.Contains(s.options.Refuse, one.ID) {
		e := invalid("INVALID_OPTION", one.IDProperty, "this value is refused")
		return &e
	}
	return nil
}
