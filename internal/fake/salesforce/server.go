// Package salesforce is a Salesforce org in memory, for tests and for trying
// things out: OAuth tokens, upsert by external id through sObject Collections,
// Bulk API 2.0 ingest, queries by external id and deletes. It checks types,
// lengths and required fields, resolves parents by external id, and plays the
// faults that a client has to live with.
//
// What it knows of the real service comes from public documentation and from
// what public clients expect. It has no triggers, sharing or validation rules.
package salesforce

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fake/mishap"
)

// Options make an org.
type Options struct {
	Schema Schema // nil: DefaultSchema

	// The app and the user that get tokens; empty ones are "client", "secret",
	// "refresh" and "user@example.com".
	ClientID, ClientSecret, RefreshToken, Username string
	// PublicKey checks JWT assertions, in PEM. Empty: there is no such flow.
	PublicKey []byte

	// DailyLimit is how many requests a day may hold; 0: 100,000.
	DailyLimit int
	// Mishaps are some of those of the function of that name; one of them happens
	// every so many requests (0: mishap.DefaultEvery).
	Mishaps     []string
	MishapEvery int
	// Refuse are external ids whose records are refused for good.
	Refuse []string
	// Latency is how long a request takes.
	Latency time.Duration

	// BulkPolls is how often a job has to be asked for before it is done; 0: 2.
	BulkPolls int
}

// Request is one request as it came.
type Request struct {
	Method, Path string
	Records      int // in the body of a collection or an upload
}

// Server is the org. It is an [http.Handler].
type Server struct {
	options Options
	mux     *http.ServeMux

	mu       sync.Mutex
	records  map[string]map[string]Record // by object and id
	byValue  map[string]Record            // by object, external id field and value
	ids      int
	tokens   map[string]int // by token: how many requests it is still good for; -1: any number
	issued   int
	used     int // requests today
	requests []Request
	jobs     map[string]*job
	faults   faults
	plan     mishap.Plan
}

// New makes an empty org.
func New(o Options) *Server {
	if o.Schema == nil {
		o.Schema = DefaultSchema()
	}
	for value, fallback := range map[*string]string{
		&o.ClientID: "client", &o.ClientSecret: "secret", &o.RefreshToken: "refresh", &o.Username: "user@example.com",
	} {
		if *value == "" {
			*value = fallback
		}
	}
	if o.DailyLimit == 0 {
		o.DailyLimit = 100_000
	}
	if o.BulkPolls == 0 {
		o.BulkPolls = 2
	}
	s := &Server{
		options: o, mux: http.NewServeMux(), records: map[string]map[string]Record{}, byValue: map[string]Record{},
		tokens: map[string]int{}, jobs: map[string]*job{}, plan: mishap.Plan{Names: o.Mishaps, Every: o.MishapEvery},
	}
	for _, key := range o.Refuse {
		s.Fail(Fault{Key: key, Times: -1, Code: "FIELD_CUSTOM_VALIDATION_EXCEPTION", Message: "this record is refused"})
	}
	for object := range o.Schema {
		s.records[object] = map[string]Record{}
	}
	s.mux.HandleFunc("POST /services/oauth2/token", s.token)
	const base = "/services/data/{version}/"
	s.mux.HandleFunc("GET "+base+"limits", s.api(s.limits))
	s.mux.HandleFunc("GET "+base+"sobjects", s.api(s.list))
	s.mux.HandleFunc("GET "+base+"sobjects/{object}/describe", s.api(s.describe))
	s.mux.HandleFunc("GET "+base+"query", s.api(s.query))
	s.mux.HandleFunc("POST "+base+"composite", s.api(s.composite))
	s.mux.HandleFunc("PATCH "+base+"composite/sobjects/{object}/{external}", s.api(s.upsertCollection))
	s.mux.HandleFunc("PATCH "+base+"composite/sobjects", s.api(s.updateCollection))
	s.mux.HandleFunc("DELETE "+base+"composite/sobjects", s.api(s.deleteCollection))
	s.mux.HandleFunc("POST "+base+"jobs/ingest", s.api(s.createJob))
	s.mux.HandleFunc("PUT "+base+"jobs/ingest/{job}/batches", s.api(s.upload))
	s.mux.HandleFunc("PATCH "+base+"jobs/ingest/{job}", s.api(s.changeJob))
	s.mux.HandleFunc("GET "+base+"jobs/ingest/{job}", s.api(s.showJob))
	for _, results := range []string{"successfulResults", "failedResults", "unprocessedrecords"} {
		s.mux.HandleFunc("GET "+base+"jobs/ingest/{job}/"+results, s.api(s.results(results)))
		s.mux.HandleFunc("GET "+base+"jobs/ingest/{job}/"+results+"/{$}", s.api(s.results(results)))
	}
	s.mux.HandleFunc("GET /_fake/records/{object}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, s.Records(r.PathValue("object")))
	})
	s.mux.HandleFunc("POST /_fake/faults", s.control)
	return s
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Records returns the records of an object, by their ids.
func (s *Server) Records(object string) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Record{}
	for _, id := range slices.Sorted(maps.Keys(s.records[object])) {
		out = append(out, maps.Clone(s.records[object][id]))
	}
	return out
}

// Requests returns the requests to the API so far, in their order, without
// those for tokens.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Tokens returns how many tokens were issued.
func (s *Server) Tokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// call is one request to the API, under the lock.
type call struct {
	w       http.ResponseWriter
	r       *http.Request
	body    []byte
	records int
}

// api checks what all requests have in common.
func (s *Server) api(handle func(*call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 150<<20))
		if err != nil {
			return // the client went away
		}
		if s.options.Latency > 0 {
			select {
			case <-time.After(s.options.Latency):
			case <-r.Context().Done():
				return
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		c := &call{w: w, r: r, body: body}
		s.used++
		w.Header().Set("Sforce-Limit-Info", fmt.Sprintf("api-usage=%d/%d", s.used, s.options.DailyLimit))
		defer func() {
			path := r.URL.Path[strings.Index(r.URL.Path, "/v")+1:]
			_, path, _ = strings.Cut(path, "/")
			s.requests = append(s.requests, Request{Method: r.Method, Path: path, Records: c.records})
		}()
		if f, ok := s.faults.request(r); ok {
			for name, value := range f.Header {
				w.Header().Set(name, value)
			}
			c.refuse(f.Status, problem(f.Code, f.Message))
			return
		}
		if s.mishap(c) {
			return
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		switch left, ok := s.tokens[token]; {
		case !ok || left == 0:
			c.refuse(http.StatusUnauthorized, problem("INVALID_SESSION_ID", "Session expired or invalid"))
			return
		case left > 0:
			s.tokens[token]--
		}
		if s.used > s.options.DailyLimit {
			c.refuse(http.StatusForbidden, problem("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
			return
		}
		if len(r.URL.RequestURI()) > 16384 {
			c.refuse(http.StatusRequestURITooLong, problem("URI_TOO_LONG", "URI Too Long"))
			return
		}
		handle(c)
	}
}

func (s *Server) limits(c *call) {
	answer(c.w, http.StatusOK, map[string]any{
		"DailyApiRequests": map[string]int{"Max": s.options.DailyLimit, "Remaining": max(0, s.options.DailyLimit-s.used)},
	})
}

// object returns the object of the path, if there is one.
func (s *Server) object(c *call, name string) bool {
	if _, ok := s.options.Schema[name]; !ok {
		c.refuse(http.StatusNotFound, problem("NOT_FOUND", "The requested resource does not exist"))
		return false
	}
	return true
}

// refuse answers a request with an error.
func (c *call) refuse(status int, p *apiError) {
	answer(c.w, status, []any{p.encode("errorCode")})
}

func (p *apiError) encode(codeName string) map[string]any {
	fields := p.Fields
	if fields == nil {
		fields = []string{}
	}
	return map[string]any{codeName: p.Code, "message": p.Message, "fields": fields}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client went away
}
