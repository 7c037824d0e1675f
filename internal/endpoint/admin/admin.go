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

	"github.com/julienschmidt/httprouter"

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
	Configuration
}

// StateElsewhere is the state of a destination that other instances deliver to.
const StateElsewhere = "elsewhere"

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
		{http.MethodPost, "/api/v1/config/reload", a.reload},
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
	Config     ActiveConfiguration          `json:"config"`
	Backlog    ledger.Backlog               `json:"backlog"`
	Models     map[string]ledger.ModelCount `json:"models"`
	Deliveries []ledger.DeliveryCount       `json:"deliveries"`
}

func (a *api) status(r *http.Request, _ httprouter.Params) (any, error) {
	out := Status{Links: a.o.Process.Links(), Config: a.o.Process.Active()}
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

func flag(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, badRequest(name + " must be true or false")
	}
	return on, nil
}
