package salesforce

import (
	"encoding/json"
	"net/http"
	"strings"
)

// Fault is what goes wrong, for a number of times.
type Fault struct {
	// Path: requests whose path holds this text and, if set, whose method is this.
	Path   string `json:"path"`
	Method string `json:"method"`
	// Key: records with this external id, instead of requests.
	Key string `json:"key"`
	// Times is how often; 0: once, -1: always. Skip lets as many go by first.
	Times int `json:"times"`
	Skip  int `json:"skip"`

	Status  int               `json:"status"`
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Fields  []string          `json:"fields"`
	Header  map[string]string `json:"header"`
}

// JobFault is how a bulk job ends.
type JobFault struct {
	State     string // Failed or Aborted; empty: JobComplete
	Message   string
	Processed int // how many rows are processed; the rest is not
}

type faults struct {
	list          []*Fault
	tokenRequests int // the next token is good for so many requests; 0: for any number
	job           *JobFault
	stuck         bool
	locked        bool // the next record meets a lock
}

// Fail makes requests or records fail.
func (s *Server) Fail(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.list = append(s.faults.list, &f)
}

// ExpireTokens ends all tokens; the next one is good for n requests, or for any
// number if n is 0.
func (s *Server) ExpireTokens(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
	s.faults.tokenRequests = n
}

// Use sets how many requests of today's are used.
func (s *Server) Use(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = n
}

// FailJob makes the next bulk job end so.
func (s *Server) FailJob(f JobFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.job = &f
}

// StickJobs keeps bulk jobs from ending.
func (s *Server) StickJobs(stuck bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.stuck = stuck
}

// request returns the fault that a request is to meet.
func (f *faults) request(r *http.Request) (Fault, bool) {
	return f.next(func(f *Fault) bool {
		return f.Key == "" && strings.Contains(r.URL.Path, f.Path) && (f.Method == "" || f.Method == r.Method)
	})
}

// failing returns the error that a record is to meet.
func (s *Server) failing(key string) *apiError {
	if s.faults.locked {
		s.faults.locked = false
		return problem("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records")
	}
	f, ok := s.faults.next(func(f *Fault) bool { return f.Key == key })
	if !ok {
		return nil
	}
	return problem(f.Code, f.Message, f.Fields...)
}

func (f *faults) next(match func(*Fault) bool) (Fault, bool) {
	for _, one := range f.list {
		switch {
		case one.Times == 0 || !match(one):
		case one.Skip > 0:
			one.Skip--
		default:
			if one.Times > 0 {
				one.Times--
			}
			return *one, true
		}
	}
	return Fault{}, false
}

// control takes a Fault as JSON, for those who run the fake as a process.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	var f Fault
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.Fail(f)
	w.WriteHeader(http.StatusNoContent)
}
