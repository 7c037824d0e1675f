package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CompanyInfo is a company that the sandbox made.
type CompanyInfo struct {
	ID          int64  `json:"company_id"`
	Integration string `json:"integration_type"`
	Name        string `json:"name"`
	Records     int    `json:"records"`
}

// Companies lists the companies of the server.
func (s *Server) Companies() []CompanyInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []CompanyInfo
	for _, c := range s.world.companies {
		info := CompanyInfo{ID: c.id, Integration: c.profile.integration, Records: c.count()}
		for _, f := range c.byModel[companyInfo][0].fields {
			if f.name == "name" {
				_ = json.Unmarshal(f.value, &info.Name) // written by us as a string
			}
		}
		out = append(out, info)
	}
	return out
}

func (s *Server) listCompanies(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"data": s.Companies()})
}

func (s *Server) company(id int64) *company {
	for _, c := range s.world.companies {
		if c.id == id {
			return c
		}
	}
	return nil
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// listRecords reads records as the platform has them now, whole. That is more
// than the webhooks said of a record that came back with a few fields only.
func (s *Server) listRecords(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	model := strings.ToUpper(r.PathValue("resource"))
	if !slices.Contains(models, model) {
		fail(w, http.StatusNotFound, "no such resource")
		return
	}
	limit := defaultLimit
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxLimit {
			fail(w, http.StatusBadRequest, "limit: use 1 to 1000")
			return
		}
		limit = n
	}
	skip := 0
	if text := q.Get("next"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			fail(w, http.StatusBadRequest, "next: use the value of the previous page")
			return
		}
		skip = n
	}
	since := int64(0)
	if text := q.Get("rootfi_updated_at[gte]"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			fail(w, http.StatusBadRequest, "rootfi_updated_at[gte]: use RFC 3339")
			return
		}
		since = t.UnixMilli()
	}

	data, more := s.page(query{
		model: model, company: q.Get("rootfi_company_id[eq]"), platformID: q.Get("platform_id[eq]"),
		since: since, deleted: q.Get("include_deleted_records") == "true", skip: skip, limit: limit,
	})
	var next *string
	if more {
		text := strconv.Itoa(skip + limit)
		next = &text
	}
	answer(w, http.StatusOK, map[string]any{"data": data, "next": next})
}

type query struct {
	model, company, platformID string
	since                      int64
	deleted                    bool
	skip, limit                int
}

// page reads one page of records and reports whether there are more.
func (s *Server) page(q query) (data []json.RawMessage, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data = []json.RawMessage{}
	place := 0
	for _, c := range s.world.companies {
		if q.company != "" && q.company != strconv.FormatInt(c.id, 10) {
			continue
		}
		for _, r := range c.byModel[q.model] {
			if q.platformID != "" && q.platformID != r.platformID || r.deleted && !q.deleted || r.changedAt < q.since {
				continue
			}
			if place++; place <= q.skip {
				continue
			}
			if len(data) == q.limit {
				return data, true
			}
			data = append(data, appendObject(nil, r.fields))
		}
	}
	return data, false
}
