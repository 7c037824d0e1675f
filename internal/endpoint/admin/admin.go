// Package admin is the operators' side of a running Sluice: health checks,
// metrics, and the API behind the sub-commands (events, records, dead letters,
// destinations). It listens on an address of its own, on loopback or behind a
// bearer token. [Client] is its other end.
package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Store is the part of the ledger that operators see and change.
type Store interface {
	ledger.Reader
	ledger.Operator
}

// Process is what the API asks of the running process.
type Process interface {
	// Ready returns the state of each part; an empty text means that it is well.
	Ready(ctx context.Context) map[string]string
	// Check tests a destination's credentials and reachability.
	Check(ctx context.Context, destination string) error
	// Plugins describes the configured destinations' plugin processes.
	Plugins() []Plugin
	// Links says where to look.
	Links() Links
	// Wake has batches looked for that nobody drives.
	Wake()
}

// Plugin is a destination's plugin process.
type Plugin struct {
	Destination string `json:"destination"`
	Plugin      string `json:"plugin"`
	Version     string `json:"version"`
	State       string `json:"state"`
	PID         int    `json:"pid,omitempty"`
	Restarts    int    `json:"restarts"`
}

// Links says where to look.
type Links struct {
	Version    string `json:"version"`
	Endpoint   string `json:"endpoint"`
	Temporal   string `json:"temporal"`
	Namespace  string `json:"namespace"`
	TemporalUI string `json:"temporal_ui,omitempty"`
	DataDir    string `json:"data_dir"`
}

// Options are what [New] needs.
type Options struct {
	Store   Store
	Process Process
	Metrics http.Handler
	Token   string // empty: no token is asked for, which only suits loopback
	Logger  *slog.Logger
}

// New returns the handler of the admin listener.
func New(o Options) http.Handler {
	a := &api{o: o}
	r := httprouter.New()
	r.GET("/healthz", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		respond(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	r.GET("/readyz", a.ready)
	r.Handler(http.MethodGet, "/metrics", a.guard(o.Metrics))
	r.Handler(http.MethodGet, "/debug/pprof/*profile", a.guard(http.HandlerFunc(profile)))
	for _, h := range []struct {
		method, path string
		handle       func(*http.Request, httprouter.Params) (any, error)
	}{
		{http.MethodGet, "/api/v1/status", a.status},
		{http.MethodGet, "/api/v1/events", a.listEvents},
		{http.MethodGet, "/api/v1/events/:source/*id", a.showEvent},
		{http.MethodGet, "/api/v1/records", a.showRecords},
		{http.MethodGet, "/api/v1/dead-letters", a.listDeadLetters},
		{http.MethodGet, "/api/v1/dead-letters/:id", a.showDeadLetter},
		{http.MethodPost, "/api/v1/dead-letters", a.actOnDeadLetters},
		{http.MethodGet, "/api/v1/destinations", a.listDestinations},
		{http.MethodPost, "/api/v1/destinations/:name/:action", a.actOnDestination},
	} {
		r.Handle(h.method, h.path, func(w http.ResponseWriter, req *http.Request, p httprouter.Params) {
			a.guard(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				got, err := h.handle(req, p)
				if err != nil {
					a.fail(w, req, err)
					return
				}
				respond(w, http.StatusOK, got)
			})).ServeHTTP(w, req)
		})
	}
	r.NotFound = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		respondError(w, http.StatusNotFound, "not_found", "no such page")
	})
	return r
}

type api struct{ o Options }

// profile serves Go's profiles: what `go tool pprof` asks for.
func profile(w http.ResponseWriter, r *http.Request) {
	switch httprouter.ParamsFromContext(r.Context()).ByName("profile") {
	case "/profile":
		pprof.Profile(w, r)
	case "/trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}

// guard lets operators in and keeps web pages out: on loopback any page that an
// operator's browser shows could otherwise send requests here.
func (a *api) guard(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + a.o.Token))
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.o.Token != "" {
			got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
			if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				respondError(w, http.StatusUnauthorized, "unauthorized", "send the admin_token of the configuration as a bearer token")
				return
			}
		} else if !isLocal(r.Host) {
			respondError(w, http.StatusForbidden, "forbidden", "without an admin_token only requests to a loopback address are answered")
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// isLocal guards against DNS names that a web page had resolve to loopback.
func isLocal(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ready answers 503 only when events cannot be accepted. With Temporal or a
// destination away Sluice must stay in a load balancer's rotation: webhooks are
// still stored, and whoever sends them gives up soon.
func (a *api) ready(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	parts := a.o.Process.Ready(r.Context())
	out := Readiness{Status: StatusReady, Parts: make(map[string]string)}
	code := http.StatusOK
	for name, problem := range parts {
		out.Parts[name] = "ok"
		switch {
		case problem == "":
		case name == PartLedger:
			out.Status, out.Parts[name], code = StatusNotReady, problem, http.StatusServiceUnavailable
		default:
			out.Parts[name] = problem
			if out.Status == StatusReady {
				out.Status = StatusDegraded
			}
		}
	}
	respond(w, code, out)
}

// The words of /readyz.
const (
	StatusReady    = "ready"
	StatusDegraded = "degraded"  // events are accepted, and wait for what is away
	StatusNotReady = "not ready" // events are not accepted
	PartLedger     = "ledger"
)

// Readiness is the answer of /readyz.
type Readiness struct {
	Status string            `json:"status"`
	Parts  map[string]string `json:"parts"`
}

// Status sums up the whole process.
type Status struct {
	Links      Links                        `json:"links"`
	Backlog    ledger.Backlog               `json:"backlog"`
	Models     map[string]ledger.ModelCount `json:"models"`
	Deliveries []ledger.DeliveryCount       `json:"deliveries"`
}

func (a *api) status(r *http.Request, _ httprouter.Params) (any, error) {
	out := Status{Links: a.o.Process.Links()}
	var err error
	if out.Backlog, err = a.o.Store.Backlog(r.Context()); err != nil {
		return nil, err
	}
	if out.Models, err = a.o.Store.ModelCounts(r.Context()); err != nil {
		return nil, err
	}
	out.Deliveries, err = a.o.Store.DeliveryCounts(r.Context())
	return out, err
}

func (a *api) listDeadLetters(r *http.Request, _ httprouter.Params) (any, error) {
	f, err := deadLetterFilter(r)
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.ListDeadLetters(r.Context(), f)
	if list == nil {
		list = []ledger.DeadLetter{} // an empty list in JSON, not null
	}
	return list, err
}

func (a *api) showDeadLetter(r *http.Request, p httprouter.Params) (any, error) {
	id, err := strconv.ParseInt(p.ByName("id"), 10, 64)
	if err != nil {
		return nil, badRequest("a dead letter's id is a number")
	}
	return a.o.Store.DeadLetterByID(r.Context(), id)
}

// DeadLetterAction asks to retry or discard dead letters.
type DeadLetterAction struct {
	Action      string  `json:"action"` // retry or discard
	All         bool    `json:"all"`    // needed when nothing else narrows it down
	IDs         []int64 `json:"ids,omitempty"`
	Destination string  `json:"destination,omitempty"`
	Model       string  `json:"model,omitempty"`
	Code        string  `json:"code,omitempty"`
}

// DeadLetterResult counts what an action changed.
type DeadLetterResult struct {
	Count int   `json:"count"`
	Batch int64 `json:"batch,omitempty"` // that drives them again
}

func (a *api) actOnDeadLetters(r *http.Request, _ httprouter.Params) (any, error) {
	var in DeadLetterAction
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, badRequest("the body is not a dead letter action: " + err.Error())
	}
	if !in.All && len(in.IDs) == 0 && in.Destination == "" && in.Model == "" && in.Code == "" {
		return nil, badRequest("name ids, a destination, a model or a code, or say all")
	}
	f := ledger.DeadLetterFilter{IDs: in.IDs, Destination: in.Destination, Model: in.Model, Code: in.Code}
	switch in.Action {
	case "retry":
		batch, n, err := a.o.Store.RetryDeadLetters(r.Context(), f)
		if err != nil {
			return nil, err
		}
		a.o.Process.Wake()
		return DeadLetterResult{Count: n, Batch: batch}, nil
	case "discard":
		n, err := a.o.Store.DiscardDeadLetters(r.Context(), f)
		return DeadLetterResult{Count: n}, err
	default:
		return nil, badRequest("action must be retry or discard")
	}
}

// Destination is how a destination stands, with its plugin process.
type Destination struct {
	ledger.DestinationState
	Process *Plugin `json:"process,omitempty"` // nil: not in the configuration any more
}

func (a *api) listDestinations(r *http.Request, _ httprouter.Params) (any, error) {
	states, err := a.o.Store.DestinationStates(r.Context())
	if err != nil {
		return nil, err
	}
	byName := make(map[string]ledger.DestinationState)
	for _, s := range states {
		byName[s.Destination] = s
	}
	out := []Destination{}
	for _, p := range a.o.Process.Plugins() {
		s := byName[p.Destination]
		s.Destination = p.Destination
		delete(byName, p.Destination)
		out = append(out, Destination{DestinationState: s, Process: &p})
	}
	for _, s := range states {
		if _, left := byName[s.Destination]; left {
			out = append(out, Destination{DestinationState: s})
		}
	}
	return out, nil
}

// CheckResult is the answer of a destination's check.
type CheckResult struct {
	Destination string `json:"destination"`
	OK          bool   `json:"ok"`
	Problem     string `json:"problem,omitempty"`
}

func (a *api) actOnDestination(r *http.Request, p httprouter.Params) (any, error) {
	name := p.ByName("name")
	known := false
	for _, d := range a.o.Process.Plugins() {
		known = known || d.Destination == name
	}
	if !known {
		return nil, &problem{http.StatusNotFound, "not_found", "no destination of this name is configured"}
	}
	ctx := r.Context()
	switch p.ByName("action") {
	case "check":
		out := CheckResult{Destination: name, OK: true}
		if err := a.o.Process.Check(ctx, name); err != nil {
			out.OK, out.Problem = false, err.Error()
		}
		return out, nil
	case "pause":
		return CheckResult{Destination: name, OK: true}, a.o.Store.Pause(ctx, ledger.Pause{
			Destination: name, Reason: ledger.PauseOperator, Message: "paused by an operator", Since: time.Now(),
		})
	case "resume":
		return CheckResult{Destination: name, OK: true}, a.o.Store.Resume(ctx, name)
	default:
		return nil, &problem{http.StatusNotFound, "not_found", "a destination can be checked, paused and resumed"}
	}
}

// problem is an error that the caller may read.
type problem struct {
	status        int
	code, message string
}

func (p *problem) Error() string { return p.message }

func badRequest(message string) error {
	return &problem{http.StatusBadRequest, "bad_request", message}
}

func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	if p, ok := errors.AsType[*problem](err); ok {
		respondError(w, p.status, p.code, p.message)
		return
	}
	if errors.Is(err, ledger.ErrNotFound) {
		respondError(w, http.StatusNotFound, "not_found", "there is no such thing in the ledger")
		return
	}
	a.o.Logger.ErrorContext(r.Context(), "answer an operator", "path", r.URL.Path, "err", err)
	respondError(w, http.StatusInternalServerError, "internal", "the ledger did not answer: see the log")
}

func respond(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // the client is gone: nobody is left to tell
}

// Error is the body of an answer that is not a success.
type Error struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func respondError(w http.ResponseWriter, status int, code, message string) {
	var e Error
	e.Error.Code, e.Error.Message = code, message
	respond(w, status, e)
}

func number(r *http.Request, name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, badRequest(name + " must be a number")
	}
	return n, nil
}

func deadLetterFilter(r *http.Request) (ledger.DeadLetterFilter, error) {
	q := r.URL.Query()
	before, err := number(r, "before")
	if err != nil {
		return ledger.DeadLetterFilter{}, err
	}
	limit, err := number(r, "limit")
	return ledger.DeadLetterFilter{
		Destination: q.Get("destination"), Model: q.Get("model"), Code: q.Get("code"), BeforeID: before, Limit: int(min(limit, 1000)),
	}, err
}

func (a *api) showRecords(r *http.Request, _ httprouter.Params) (any, error) {
	q := r.URL.Query()
	key := event.RecordKey{
		Source: q.Get("source"), CompanyID: q.Get("company"), Integration: q.Get("integration"),
		Model: q.Get("model"), PlatformID: q.Get("platform_id"),
	}
	if key.PlatformID == "" {
		return nil, badRequest("platform_id is needed")
	}
	list, err := a.o.Store.RecordsByKey(r.Context(), key)
	if err != nil {
		return nil, err
	}
	out := make([]Record, len(list))
	for i := range list {
		out[i] = recordOf(&list[i])
	}
	return out, nil
}
