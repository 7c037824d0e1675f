package hubspot

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fake/mishap"
)

// maxBody bounds what is read of a request; 100 records fit well.
const maxBody = 16 << 20

// Options say what the account is like.
type Options struct {
	// Token is a service key that is accepted; empty accepts none.
	Token string
	// ClientID, ClientSecret and RefreshToken are those of an OAuth app.
	ClientID, ClientSecret, RefreshToken string
	// Custom are further object types, which need no property to be created.
	Custom []string
	// RatePer10s and RateDaily limit calls; 0 does not.
	RatePer10s, RateDaily int
	// Seed decides how results are shuffled.
	Seed uint64
	// Mishaps are some of those of the function of that name; one of them happens
	// every so many calls (0: mishap.DefaultEvery).
	Mishaps     []string
	MishapEvery int
	// Refuse are values for which a record is refused for good.
	Refuse []string
	// Latency is how long a call takes.
	Latency time.Duration
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

// Faults are what goes wrong, until it is changed.
type Faults struct {
	// Fail answers the next calls whose path contains Path instead of the API.
	Fail []Failure
	// Silent leaves out that many inputs of the next batches that write: they are
	// not written and neither a result nor an error tells of them.
	Silent int
	// ConflictFailsBatch makes one input with a conflict fail its whole batch.
	ConflictFailsBatch bool
	// InvalidFailsBatch makes one invalid input fail its whole batch, even with
	// trace ids.
	InvalidFailsBatch bool
	// MixedLinks answers 207 to a batch of associations that cannot all be made, and
	// makes the others.
	MixedLinks bool
	// BadLinks are ids of records to which no associations may be made.
	BadLinks []string
	// MissingScopes refuses every call for want of these.
	MissingScopes []string
}

// Failure is an answer to one call.
type Failure struct {
	Path       string // "": any
	Skip       int    // lets this many matching calls through first
	Status     int
	Policy     string // policyName of a 429
	RetryAfter string
}

// Call is a request that was made, without what was in it.
type Call struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Inputs int    `json:"inputs"` // of a batch
}

// Server is the account. It is an [http.Handler] and safe for concurrent use.
type Server struct {
	options Options

	mu      sync.Mutex
	faults  Faults
	calls   []Call
	objects map[string]*object
	links   map[Association]struct{}
	tokens  map[string]time.Time // access tokens of OAuth and when they end
	nextID  int64
	random  *rand.Rand
	recent  []time.Time // calls of the last ten seconds
	day     string
	today   int
	plan    mishap.Plan
}

// New makes an account with the standard objects.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		options: o, objects: standardObjects(), links: map[Association]struct{}{}, tokens: map[string]time.Time{},
		nextID: 500, random: rand.New(rand.NewPCG(o.Seed, 1)), plan: mishap.Plan{Names: o.Mishaps, Every: o.MishapEvery},
	}
	for _, name := range o.Custom {
		s.objects[name] = newObject(name + "_information")
	}
	return s
}

// SetFaults replaces the faults.
func (s *Server) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// ExpireTokens ends every access token that was given out.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Calls returns the requests so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/sandbox/"); ok {
		s.show(w, rest)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the client went away, or sends more than anybody should
	}
	if s.options.Latency > 0 {
		select {
		case <-time.After(s.options.Latency):
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	a := s.answer(r, body)
	s.mu.Unlock()
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // the client went away
}

// show answers who looks into the account: records/<object>, associations,
// calls. HubSpot has no such paths, and they need no token.
func (s *Server) show(w http.ResponseWriter, path string) {
	var v any
	switch what, object, _ := strings.Cut(path, "/"); what {
	case "records":
		v = s.Records(object)
	case "associations":
		v = s.Associations()
	case "calls":
		v = s.Calls()
	default:
		http.Error(w, "there are records/<object>, associations and calls", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // the client went away
}

// answer is what goes back.
type answer struct {
	status int
	body   any
	header map[string]string
}

func (s *Server) answer(r *http.Request, body []byte) answer {
	var batch struct {
		Inputs []json.RawMessage `json:"inputs"`
	}
	_ = json.Unmarshal(body, &batch) // only counts; the handlers judge the body
	s.calls = append(s.calls, Call{Method: r.Method, Path: r.URL.Path, Inputs: len(batch.Inputs)})
	if a, failed := s.fault(r.URL.Path); failed {
		return a
	}
	if !strings.HasPrefix(r.URL.Path, "/oauth/") {
		if a, failed := s.mishap(r.URL.Path, len(batch.Inputs)); failed {
			return a
		}
	}
	path, version, ok := split(r.URL.Path)
	if !ok {
		return fail(http.StatusNotFound, "", "resource not found")
	}
	if path[0] == "oauth" {
		return s.oauth(r, path, body)
	}
	if a, refused := s.authorize(r); refused {
		return a
	}
	header, a, limited := s.limit(path)
	if !limited {
		a = s.route(r, path, version, body)
	}
	if a.header == nil {
		a.header = map[string]string{}
	}
	for name, value := range header {
		a.header[name] = value
	}
	return a
}

// split takes the version out of a path: /crm/objects/2026-09/deals and
// /crm/v3/objects/deals are both crm, objects, deals.
func split(path string) (parts []string, version string, ok bool) {
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if version == "" && isVersion(part) {
			version = part
			continue
		}
		parts = append(parts, part)
	}
	return parts, version, version != "" && len(parts) >= 2
}

func isVersion(s string) bool {
	if _, err := time.Parse("2006-01", s); err == nil {
		return true
	}
	return s == "v1" || s == "v3" || s == "v4"
}

// fault plays a failure that was asked for.
func (s *Server) fault(path string) (answer, bool) {
	for i, f := range s.faults.Fail {
		if !strings.Contains(path, f.Path) {
			continue
		}
		if f.Skip > 0 {
			s.faults.Fail[i].Skip--
			continue
		}
		s.faults.Fail = slices.Delete(slices.Clone(s.faults.Fail), i, i+1)
		a := fail(f.Status, "", http.StatusText(f.Status))
		if f.Status == http.StatusTooManyRequests {
			a = rateLimited(f.Policy)
		}
		if f.RetryAfter != "" {
			a.header = map[string]string{"Retry-After": f.RetryAfter}
		}
		return a, true
	}
	return answer{}, false
}

// limit counts a call and gives the headers that tell of the limits.
func (s *Server) limit(path []string) (map[string]string, answer, bool) {
	now := s.options.Now()
	s.recent = slices.DeleteFunc(s.recent, func(t time.Time) bool { return now.Sub(t) >= 10*time.Second })
	if day := now.UTC().Format(time.DateOnly); day != s.day {
		s.day, s.today = day, 0
	}
	header := map[string]string{}
	if o := s.options; o.RateDaily > 0 {
		if s.today >= o.RateDaily {
			return header, rateLimited("DAILY"), true
		}
		header["X-HubSpot-RateLimit-Daily"] = strconv.Itoa(o.RateDaily)
		header["X-HubSpot-RateLimit-Daily-Remaining"] = strconv.Itoa(o.RateDaily - s.today - 1)
	}
	if o := s.options; o.RatePer10s > 0 {
		if len(s.recent) >= o.RatePer10s {
			return header, rateLimited("TEN_SECONDLY_ROLLING"), true
		}
		header["X-HubSpot-RateLimit-Max"] = strconv.Itoa(o.RatePer10s)
		header["X-HubSpot-RateLimit-Remaining"] = strconv.Itoa(o.RatePer10s - len(s.recent) - 1)
		header["X-HubSpot-RateLimit-Interval-Milliseconds"] = "10000"
	}
	s.recent = append(s.recent, now)
	s.today++
	return header, answer{}, false
}

func (s *Server) route(r *http.Request, path []string, _ string, body []byte) answer {
	switch {
	case path[0] == "account-info" && path[1] == "details" && r.Method == http.MethodGet:
		return answer{status: http.StatusOK, body: map[string]any{"portalId": portal, "accountType": "STANDARD", "timeZone": "UTC"}}
	case path[0] != "crm" || len(path) < 3:
		return fail(http.StatusNotFound, "", "resource not found")
	}
	o := s.objects[path[2]]
	if o == nil {
		return fail(http.StatusBadRequest, "VALIDATION_ERROR", "Unable to infer object type from: "+path[2])
	}
	rest := r.Method + " " + strings.Join(path[3:], "/")
	switch path[1] {
	case "properties":
		switch rest {
		case "GET ":
			return o.listProperties()
		case "POST ":
			return o.createProperty(body)
		case "POST batch/create":
			return o.createProperties(body)
		}
	case "objects":
		switch rest {
		case "POST batch/create", "POST batch/upsert":
			return s.write(o, path[4], body)
		case "POST batch/read":
			return s.read(o, body)
		case "POST batch/archive":
			return s.archive(o, body)
		}
	case "associations":
		if len(path) == 7 && s.objects[path[3]] != nil && strings.Join(path[4:], "/") == "batch/associate/default" && r.Method == http.MethodPost {
			return s.associate(path[2], path[3], body)
		}
	}
	return fail(http.StatusNotFound, "", "resource not found")
}
