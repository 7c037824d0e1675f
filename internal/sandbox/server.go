package sandbox

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Server is the part of RootFi's API that a receiver's owner uses: webhooks,
// syncs and reads of records. Its syncs send webhooks as Play does.
//
// A company's first sync is its initial one. After that a sync is incremental,
// or full if it is asked to be; an incremental sync after a full one revives
// some of what that deleted.
type Server struct {
	opts   Options
	apiKey string
	hooks  hooks
	mux    *http.ServeMux
	queue  chan request

	mu      sync.Mutex // guards what follows; not held while webhooks are sent
	world   *world
	truth   *truth
	reports []Report
	synced  map[*company]bool
	running *Sync
}

// request is a sync that was asked for.
type request struct {
	company *company
	sync    *Sync
	models  []string
}

const maxQueued = 100

// NewServer returns a server that accepts calls with the API key.
func NewServer(o Options, apiKey string) *Server {
	o = o.withDefaults()
	s := &Server{
		opts: o, apiKey: apiKey, mux: http.NewServeMux(), queue: make(chan request, maxQueued),
		world: newWorld(o), truth: newTruth(), synced: make(map[*company]bool),
	}
	for _, c := range s.world.companies {
		c.build()
	}
	for pattern, handle := range map[string]http.HandlerFunc{
		"GET /v3/core/webhooks":         s.listWebhooks,
		"POST /v3/core/webhooks":        s.createWebhook,
		"PUT /v3/core/webhooks/{id}":    s.updateWebhook,
		"DELETE /v3/core/webhooks/{id}": s.deleteWebhook,
		"GET /v3/core/syncs":            s.listSyncs,
		"POST /v3/core/syncs":           s.createSync,
		"GET /v3/core/syncs/{id}":       s.showSync,
		"GET /v3/core/syncs/{id}/jobs":  s.listJobs,
		"GET /v3/accounting/{resource}": s.listRecords,
		"GET /sandbox/companies":        s.listCompanies,
		"GET /sandbox/expected":         s.showExpected,
		"GET /sandbox/reports":          s.showReports,
	} {
		s.mux.HandleFunc(pattern, handle)
	}
	return s
}

// Webhook configures a webhook without a call over HTTP.
func (s *Server) Webhook(w Webhook) (Webhook, error) { return s.hooks.add(w, time.Now()) }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("api_key")), []byte(s.apiKey)) != 1 {
		fail(w, http.StatusUnauthorized, "api_key: missing or wrong")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	s.mux.ServeHTTP(w, r)
}

// Run does the syncs that are asked for, one after the other, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-s.queue:
			report, err := deliver(ctx, s.opts, slices.Values(s.tell(r)), s.hooks.router())
			s.mu.Lock()
			s.reports = append(s.reports, report)
			s.running = nil
			s.mu.Unlock()
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// tell writes the webhooks of one sync and takes them into the expected state.
func (s *Server) tell(r request) []*Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = r.sync
	var out []*Event
	c := r.company
	e := &emitter{c: c, only: r.models, yield: func(ev *Event) bool {
		s.truth.apply(ev)
		out = append(out, ev)
		return true
	}}
	switch {
	case !s.synced[c]:
		s.synced[c] = true
		e.phase = PhaseInitial
		e.initial(r.sync)
	case r.sync.Full:
		c.now += day / 24
		e.phase = PhaseFull
		e.full(r.sync)
	case len(c.buried) > 0:
		c.now += day / 24
		e.phase = PhaseFull
		e.revival(r.sync)
	default:
		c.now += day / 24
		e.phase = PhaseIncremental
		e.incremental(r.sync)
	}
	return out
}

// Expected is the state that the webhooks created so far amount to.
func (s *Server) Expected() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.truth.expected()
}

func (s *Server) listWebhooks(w http.ResponseWriter, _ *http.Request) {
	list := s.hooks.all()
	if list == nil {
		list = []Webhook{}
	}
	answer(w, http.StatusOK, map[string]any{"data": list})
}

func (s *Server) createWebhook(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Webhook *Webhook `json:"webhook"`
	}
	if !read(w, r, &in) {
		return
	}
	if in.Webhook == nil {
		fail(w, http.StatusBadRequest, `body: wrap the webhook as {"webhook": {…}}`)
		return
	}
	created, err := s.hooks.add(*in.Webhook, time.Now())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusCreated, created)
}

func (s *Server) updateWebhook(w http.ResponseWriter, r *http.Request) {
	var in Webhook
	if !read(w, r, &in) {
		return
	}
	updated, found, err := s.hooks.replace(r.PathValue("id"), in)
	switch {
	case !found:
		fail(w, http.StatusNotFound, "no such webhook")
	case err != nil:
		fail(w, http.StatusBadRequest, err.Error())
	default:
		answer(w, http.StatusOK, map[string]any{"data": updated})
	}
}

func (s *Server) deleteWebhook(w http.ResponseWriter, r *http.Request) {
	if !s.hooks.remove(r.PathValue("id")) {
		fail(w, http.StatusNotFound, "no such webhook")
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "SUCCESS"})
}

func (s *Server) showExpected(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.Expected())
}

func (s *Server) showReports(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	reports := slices.Clone(s.reports)
	s.mu.Unlock()
	if reports == nil {
		reports = []Report{}
	}
	answer(w, http.StatusOK, map[string]any{"data": reports})
}

// read decodes a JSON body and answers for itself when that is not possible.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			fail(w, http.StatusRequestEntityTooLarge, "body: larger than 1 MiB")
			return false
		}
		fail(w, http.StatusBadRequest, "body: "+err.Error())
		return false
	}
	return true
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the caller is gone: nobody is left to tell
}

func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]string{"error": message})
}
