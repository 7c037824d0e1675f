package sandbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// syncData is a sync as the API shows it.
type syncData struct {
	ID          string   `json:"id"`
	Status      string   `json:"status"`
	Type        string   `json:"type"`
	CompanyID   int64    `json:"company_id"`
	Integration string   `json:"integration_type"`
	FullSync    bool     `json:"full_sync"`
	DataModels  []string `json:"data_models"`
	StartTime   *string  `json:"start_time"`
	EndTime     *string  `json:"end_time"`
	TotalJobs   int      `json:"total_jobs_count"`
	SuccessJobs int      `json:"success_jobs_count"`
	FailedJobs  int      `json:"failed_jobs_count"`
}

type jobData struct {
	ID      string `json:"rootfi_id"`
	Model   string `json:"data_model"`
	Status  string `json:"status"`
	Type    string `json:"job_type"`
	Records int    `json:"records_synced"`
}

// show renders a sync. One whose webhooks are still on their way is running.
func (s *Server) show(c *company, y *Sync) syncData {
	d := syncData{
		ID: y.ID, Status: y.Status, Type: y.Type, CompanyID: c.id, Integration: y.Integration, FullSync: y.Full,
		DataModels: []string{}, TotalJobs: len(y.Jobs), SuccessJobs: len(y.Jobs) - y.failed(), FailedJobs: y.failed(),
	}
	for _, j := range y.Jobs {
		d.DataModels = append(d.DataModels, j.Model)
	}
	if y == s.running {
		d.Status = "RUNNING"
		return d
	}
	if y.End != "" {
		start, end := y.Start, y.End
		d.StartTime, d.EndTime = &start, &end
	}
	return d
}

func (s *Server) createSync(w http.ResponseWriter, r *http.Request) {
	var in struct {
		CompanyID   int64             `json:"company_id"`
		Integration string            `json:"integration_type"`
		Full        bool              `json:"full_sync"`
		Models      []json.RawMessage `json:"data_models_to_sync"`
	}
	if !read(w, r, &in) {
		return
	}
	only, ok := modelNames(in.Models)
	if !ok {
		fail(w, http.StatusBadRequest, "data_models_to_sync: list data models, or objects with a data_model")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.company(in.CompanyID)
	if c == nil || in.Integration != "" && in.Integration != c.profile.integration {
		fail(w, http.StatusNotFound, "company_id: no such company with that integration")
		return
	}
	if len(s.queue) == cap(s.queue) {
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusTooManyRequests, "too many syncs are waiting")
		return
	}
	// Only this handler sends to the queue, under the lock, so there is room.
	y := c.newSync(in.Full)
	s.queue <- request{c, y, only}
	answer(w, http.StatusCreated, s.show(c, y))
}

// modelNames reads both documented forms: "INVOICES" and {"data_model": "INVOICES"}.
func modelNames(in []json.RawMessage) ([]string, bool) {
	var out []string
	for _, raw := range in {
		var name string
		if json.Unmarshal(raw, &name) != nil {
			var o struct {
				Model string `json:"data_model"`
			}
			if json.Unmarshal(raw, &o) != nil {
				return nil, false
			}
			name = o.Model
		}
		if !slices.Contains(models, name) {
			return nil, false
		}
		out = append(out, name)
	}
	return out, true
}

func (s *Server) listSyncs(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []syncData{}
	for _, c := range s.world.companies {
		want := r.URL.Query().Get("company_id")
		if want != "" && want != strconv.FormatInt(c.id, 10) {
			continue
		}
		for _, y := range c.syncs {
			out = append(out, s.show(c, y))
		}
	}
	answer(w, http.StatusOK, map[string]any{"data": out})
}

func (s *Server) findSync(id string) (*company, *Sync) {
	for _, c := range s.world.companies {
		for _, y := range c.syncs {
			if y.ID == id {
				return c, y
			}
		}
	}
	return nil, nil
}

func (s *Server) showSync(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, y := s.findSync(r.PathValue("id"))
	if y == nil {
		fail(w, http.StatusNotFound, "no such sync")
		return
	}
	answer(w, http.StatusOK, map[string]any{"data": s.show(c, y)})
}

func (s *Server) listJobs(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, y := s.findSync(r.PathValue("id"))
	if y == nil {
		fail(w, http.StatusNotFound, "no such sync")
		return
	}
	out := []jobData{}
	for _, j := range y.Jobs {
		out = append(out, jobData{j.ID, j.Model, j.Status, y.Type, j.Records})
	}
	answer(w, http.StatusOK, map[string]any{"data": out})
}
