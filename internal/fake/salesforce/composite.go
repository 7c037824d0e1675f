package salesforce

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// maxQueries is how many queries a composite request may hold.
const maxQueries = 5

// composite answers several queries at once; other parts it does not know.
func (s *Server) composite(c *call) {
	var in struct {
		Parts []struct {
			Method    string `json:"method"`
			URL       string `json:"url"`
			Reference string `json:"referenceId"`
		} `json:"compositeRequest"`
	}
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil || len(in.Parts) == 0 {
		c.refuse(http.StatusBadRequest, problem("JSON_PARSER_ERROR", "the composite request cannot be read"))
		return
	}
	if len(in.Parts) > maxQueries {
		c.refuse(http.StatusBadRequest, problem("LIMIT_EXCEEDED", "a composite request has at most 5 queries"))
		return
	}
	prefix := strings.TrimSuffix(c.r.URL.Path, "composite") + "query"
	seen := map[string]bool{}
	parts := []any{}
	for _, p := range in.Parts {
		target, err := url.Parse(p.URL)
		if err != nil || p.Method != http.MethodGet || target.Path != prefix || p.Reference == "" || seen[p.Reference] {
			c.refuse(http.StatusBadRequest, problem("INVALID_FIELD", "a part of the composite request is not a query with a reference of its own"))
			return
		}
		seen[p.Reference] = true
		status, body := s.part(target)
		parts = append(parts, map[string]any{
			"body": body, "httpHeaders": map[string]string{}, "httpStatusCode": status, "referenceId": p.Reference,
		})
	}
	answer(c.w, http.StatusOK, map[string]any{"compositeResponse": parts})
}

// part answers a query, or with a fault whose path is in the query's own.
func (s *Server) part(target *url.URL) (int, any) {
	f, ok := s.faults.next(func(f *Fault) bool { return f.Key == "" && f.Path != "" && strings.Contains(target.Path, f.Path) })
	if ok {
		return f.Status, []any{problem(f.Code, f.Message).encode("errorCode")}
	}
	return s.selected(target.Query().Get("q"))
}
