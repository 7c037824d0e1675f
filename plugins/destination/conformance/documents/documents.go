// Package documents is a small HTTP API that keeps JSON documents in memory: what
// a new plugin writes to, in its tests and by `sluice sandbox documents`, until it
// writes to a real system. It has what such APIs have: a token, ETags with
// conditional requests, and, told so, trouble.
//
// Every path is a document, and a path that ends in a slash lists those below it.
package documents

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
)

// maxBody is the largest document.
const maxBody = 16 << 20

// Server is the API and its documents.
type Server struct {
	token  string
	faults *httpfault.Handler
	mux    *http.ServeMux

	mu    sync.Mutex
	next  int
	paths map[string]document
}

type document struct {
	etag string
	body json.RawMessage
}

// New returns a server without documents that takes the token.
func New(token string) *Server {
	s := &Server{token: token, mux: http.NewServeMux(), paths: map[string]document{}}
	s.faults = httpfault.New(http.HandlerFunc(s.serve), nil)
	s.mux.Handle("/", s.faults)
	s.mux.HandleFunc("POST /-/fault/{kind}", s.fault)
	return s
}

// Fault makes the API misbehave, as a conformance.Subject is asked to.
func (s *Server) Fault(f conformance.Fault) bool { return s.faults.Fault(f) }

// Documents returns those below a path, in the order of their paths.
func (s *Server) Documents(below string) []json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []json.RawMessage{}
	for _, path := range slices.Sorted(maps.Keys(s.paths)) {
		if strings.HasPrefix(path, below) {
			list = append(list, s.paths[path].body)
		}
	}
	return list
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// fault is for those who run the API as a process. It needs no token.
func (s *Server) fault(w http.ResponseWriter, r *http.Request) {
	seconds, _ := strconv.Atoi(r.FormValue("retry_after"))
	f := conformance.Fault{Kind: conformance.FaultKind(r.PathValue("kind")), RetryAfter: time.Duration(seconds) * time.Second}
	if !s.Fault(f) {
		http.Error(w, "there are none, throttle, outage and hang", http.StatusNotFound)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, "the token is not valid", http.StatusUnauthorized)
		return
	}
	path := r.URL.EscapedPath()
	switch {
	case r.Method == http.MethodGet && strings.HasSuffix(path, "/"):
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Documents(path)) // the client went away
	case r.Method == http.MethodGet:
		s.get(w, path)
	case r.Method == http.MethodPut:
		s.put(w, r, path)
	default:
		http.Error(w, "GET or PUT a document", http.StatusMethodNotAllowed)
	}
}

func (s *Server) get(w http.ResponseWriter, path string) {
	s.mu.Lock()
	d, ok := s.paths[path]
	s.mu.Unlock()
	if !ok {
		http.Error(w, "no such document", http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", d.etag)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.body) // the client went away
}

// put keeps the document if the one that is there is as the request says.
func (s *Server) put(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || !json.Valid(body) {
		http.Error(w, "the body is no JSON of at most 16 MiB", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, exists := s.paths[path]
	if want := r.Header.Get("If-Match"); want != "" && want != old.etag || r.Header.Get("If-None-Match") == "*" && exists {
		http.Error(w, "the document is another by now", http.StatusPreconditionFailed)
		return
	}
	s.next++
	d := document{etag: fmt.Sprintf(`"%d"`, s.next), body: body}
	s.paths[path] = d
	w.Header().Set("ETag", d.etag)
	w.WriteHeader(http.StatusNoContent)
}
