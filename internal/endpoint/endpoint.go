// Package endpoint takes webhooks in over HTTP: POST /webhooks/<source>. It
// checks where a request comes from, reads the envelope of its body, appends the
// event to the ledger and only then answers 202. It knows nothing of routes,
// plugins and Temporal; what a payload means is the business of each source's
// Parse function.
//
// A request is judged by what costs least first: everything that its header
// says, credentials included, before any of its body is read. Neither answers
// nor logs ever quote a body or a secret.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Defaults of Options.
const (
	DefaultMaxBody     = 32 << 20
	DefaultMaxInFlight = 512
)

// appendTimeout bounds the wait for a commit. A sender does not wait that long;
// the event counts all the same, and its retry is recognised as a duplicate.
const appendTimeout = 30 * time.Second

// Options configure an Endpoint. Sources and Append are required.
type Options struct {
	Sources map[string]Source
	// Append stores an event durably; it may be called concurrently and keeps the
	// event's body.
	Append func(context.Context, event.Event) (ledger.Appended, error)

	Logger  *slog.Logger          // default: none
	Metrics prometheus.Registerer // default: none

	MaxBody     int64 // bytes of a body, compressed or not; default 32 MiB
	MaxInFlight int   // requests at a time over all sources; default 512
	// MaxBuffered bounds the bytes of all large bodies held at a time, so that a
	// flood of them is turned away rather than the process killed. Default: eight
	// of the largest bodies.
	MaxBuffered int64
	Now         func() time.Time // default: time.Now
}

// Source is an origin of webhooks.
type Source struct {
	// Authenticate lists the checks that a request must pass, all of them.
	Authenticate []Authenticator
	// Anonymous says that the empty list is meant: anybody may send.
	Anonymous bool
	// Parse reads a body and fails only if it cannot be read at all. It is called
	// with bodies of authenticated requests only and may keep them.
	Parse func(source string, body []byte, received time.Time) (event.Event, error)
	// MaxInFlight bounds the requests of this source at a time. Default: all of
	// Options.MaxInFlight for a single source, three quarters of it for each of
	// several, so that no source shuts out the others.
	MaxInFlight int
	// RateLimit bounds the requests over time. Default: no limit.
	RateLimit RateLimit
}

// Endpoint is the webhook endpoint. It has no goroutines of its own.
type Endpoint struct {
	sources map[string]*source
	append  func(context.Context, event.Event) (ledger.Appended, error)
	log     *slog.Logger
	warn    *limitedLog
	metrics *metrics
	maxBody int64
	slots   slots
	memory  memory
	now     func() time.Time
	router  *httprouter.Router
}

type source struct {
	name      string
	checks    []Authenticator
	challenge string
	parse     func(source string, body []byte, received time.Time) (event.Event, error)
	slots     slots
	rate      *rate.Limiter // nil: no limit
}

// New checks the options and builds the endpoint.
func New(o Options) (*Endpoint, error) {
	if o.Append == nil {
		return nil, errors.New("endpoint: no ledger to append to")
	}
	if o.MaxBody < 0 || o.MaxInFlight < 0 || o.MaxBuffered < 0 {
		return nil, errors.New("endpoint: a limit is negative")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = DefaultMaxInFlight
	}
	if o.MaxBuffered == 0 {
		o.MaxBuffered = 8 * o.MaxBody
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	e := &Endpoint{
		sources: make(map[string]*source, len(o.Sources)),
		append:  o.Append,
		log:     o.Logger,
		warn:    newLimitedLog(o.Logger, o.Now),
		metrics: m,
		maxBody: o.MaxBody,
		slots:   slots{max: int64(o.MaxInFlight)},
		memory:  memory{max: o.MaxBuffered},
		now:     o.Now,
	}
	for name, s := range o.Sources {
		if err := e.addSource(name, s, len(o.Sources)); err != nil {
			return nil, fmt.Errorf("endpoint: source %q: %w", name, err)
		}
	}
	e.router = e.routes()
	return e, nil
}

func (e *Endpoint) addSource(name string, s Source, count int) error {
	switch {
	case name == "" || strings.Contains(name, "/"):
		return errors.New("the name must be one segment of a URL")
	case s.Parse == nil:
		return errors.New("no parser")
	case s.MaxInFlight < 0:
		return errors.New("a limit is negative")
	case len(s.Authenticate) == 0 && !s.Anonymous:
		return errors.New("no authentication (to let anybody send, say so)")
	case len(s.Authenticate) > 0 && s.Anonymous:
		return errors.New("it has authentication and is anonymous as well")
	}
	limiter, err := s.RateLimit.limiter()
	if err != nil {
		return err
	}
	limit := int64(s.MaxInFlight)
	if limit == 0 {
		limit = e.slots.max
		if count > 1 {
			limit = max(1, limit*3/4)
		}
	}
	src := &source{name: name, checks: s.Authenticate, parse: s.Parse, slots: slots{max: limit}, rate: limiter}
	for _, check := range s.Authenticate {
		if check == nil {
			return errors.New("an authenticator is missing")
		}
		if _, ok := check.(*basicAuth); ok {
			src.challenge = `Basic realm="webhooks", charset="UTF-8"`
		}
	}
	e.sources[name] = src
	e.metrics.announce(name, limiter != nil)
	return nil
}

// Handler serves POST /webhooks/<source>.
func (e *Endpoint) Handler() http.Handler { return e.router }

func (e *Endpoint) routes() *httprouter.Router {
	r := httprouter.New()
	// Senders do not follow redirects with a body: say 404 at once.
	r.RedirectTrailingSlash = false
	r.RedirectFixedPath = false
	r.HandleOPTIONS = false
	r.POST("/webhooks/:source", e.receive)
	r.MethodNotAllowed = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		e.reject(r.Context(), w, unknownSource, problemMethod, nil)
	})
	r.NotFound = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.reject(r.Context(), w, unknownSource, problemPath, nil)
	})
	return r
}

func (e *Endpoint) receive(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
	started := e.now()
	name := params[0].Value
	src, ok := e.sources[name]
	if !ok {
		e.reject(r.Context(), w, unknownSource, problemSource, fmt.Errorf("there is no source %.64q", name))
		return
	}
	defer e.recover(r.Context(), w, name)
	// Without a length that everybody agrees on, a proxy in front may see the end
	// of this request elsewhere (a request with both a length and chunks comes here
	// as chunked): what follows must not be taken for another request.
	if r.ProtoMajor == 1 && r.ContentLength <= 0 {
		w.Header().Set("Connection", "close")
	}
	if err := e.accept(w, r, src, started); err != nil {
		p, ok := errors.AsType[*problem](err)
		if !ok {
			p = problemInternal.because(err)
		}
		if p.status == http.StatusUnauthorized && src.challenge != "" {
			w.Header().Set("WWW-Authenticate", src.challenge)
		}
		e.reject(r.Context(), w, name, p, p.cause)
	}
}

// accept takes one request in and answers it, or says why not. Each refusal is a
// *problem.
func (e *Endpoint) accept(w http.ResponseWriter, r *http.Request, src *source, started time.Time) error {
	if r.ContentLength > e.maxBody {
		return problemTooLarge
	}
	if !isJSON(r.Header) {
		return problemContentType
	}
	compressed, err := isCompressed(r.Header)
	if err != nil {
		w.Header().Set("Accept-Encoding", "gzip, identity")
		return err
	}
	for _, check := range src.checks {
		if err := check.CheckHeader(r.Header, started); err != nil {
			return problemUntrusted.because(err)
		}
	}

	// Only from here on does a request hold anything: what cannot show its
	// credentials takes no slot.
	if !src.slots.take() {
		return problemSourceBusy
	}
	defer src.slots.give()
	if !e.slots.take() {
		return problemBusy
	}
	defer e.slots.give()
	held := lease{memory: &e.memory}
	defer held.release()

	body, err := readBody(w, r, compressed, e.maxBody, &held)
	if err != nil {
		return err
	}
	for _, check := range src.checks {
		if err := check.CheckBody(r.Header, body, started); err != nil {
			return problemUntrusted.because(err)
		}
	}
	if wait := tooSoon(src.rate, started); wait > 0 {
		return problemTooFast.after(wait)
	}
	ev, err := src.parse(src.name, body, started)
	if err != nil {
		return problemNotJSON.because(err)
	}

	// A sender that hung up is no reason to drop its event.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), appendTimeout)
	defer cancel()
	// Invariant 1: acknowledged means durable. No answer before Append returns.
	appended, err := e.append(ctx, ev)
	switch {
	case errors.Is(err, ledger.ErrFull):
		return problemFull.because(err)
	case err != nil:
		return problemStorage.because(err)
	}
	answer(w, appended)
	e.accepted(ctx, &ev, appended, e.now().Sub(started))
	return nil
}

func (e *Endpoint) accepted(ctx context.Context, ev *event.Event, appended ledger.Appended, took time.Duration) {
	e.metrics.accept(ev.Source, ev.Kind, appended.Duplicate, took)
	if !e.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	e.log.LogAttrs(ctx, slog.LevelDebug, "event accepted",
		slog.String("source", ev.Source),
		slog.String("event", appended.EventID),
		slog.Int64("seq", appended.Seq),
		slog.Bool("duplicate", appended.Duplicate),
		slog.String("kind", string(ev.Kind)),
		slog.String("format", ev.Format),
		slog.String("model", ev.Model),
		slog.String("company", ev.CompanyID),
		slog.Int("records", ev.Records),
		slog.Int("bytes", len(ev.Body)),
		slog.Duration("took", took))
}
