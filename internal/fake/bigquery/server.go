package bigquery

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fake/warehouse"
)

// maxBody is the largest request.
const maxBody = 10 << 20

// Options say what the project is like.
type Options struct {
	// Accounts are the keys of service accounts by their address. Without any,
	// nobody is asked who he is.
	Accounts map[string]*rsa.PublicKey
	// TokenLife is how long a token is good; 0 is an hour.
	TokenLife time.Duration
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

// Fault is what goes wrong with requests or jobs.
type Fault struct {
	// Path is what the path of a request contains; Query what the SQL of a job
	// contains. One of them is set.
	Path, Query string
	Skip        int // lets this many through first
	Times       int
	Status      int // of the answer to a request; 0 cuts the connection
	// Reason and Message are those of the error. A job fails with them.
	Reason, Message string
	// AfterWork does what is asked and then loses the answer.
	AfterWork bool
}

// Server is the API. It is an [http.Handler] and safe for concurrent use.
type Server struct {
	options Options
	engine  *warehouse.Engine

	mu       sync.Mutex
	datasets map[string]string // "project.dataset" to location
	jobs     map[string]map[string]any
	tokens   map[string]time.Time // and when they end
	faults   []Fault
	queries  int
	mux      *http.ServeMux
}

// New makes a project without datasets. Any project's name will do.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	s := &Server{
		options: o, datasets: map[string]string{}, jobs: map[string]map[string]any{}, tokens: map[string]time.Time{},
		engine: warehouse.New(dialect(o.Now)), mux: http.NewServeMux(),
	}
	const project = "/bigquery/v2/projects/{project}"
	s.mux.HandleFunc("POST /token", s.token)
	s.mux.HandleFunc("GET /sandbox/tables/{dataset}/{table}", s.dump)
	s.mux.HandleFunc("POST "+project+"/datasets", s.createDataset)
	s.mux.HandleFunc("GET "+project+"/datasets/{dataset}", s.dataset)
	s.mux.HandleFunc("GET "+project+"/datasets/{dataset}/tables/{table}", s.table)
	s.mux.HandleFunc("POST "+project+"/jobs", s.insertJob)
	s.mux.HandleFunc("GET "+project+"/jobs/{job}", s.job)
	return s
}

func dialect(now func() time.Time) warehouse.Dialect {
	return warehouse.Dialect{
		Quote: '`', Fold: func(name string) string { return name }, FoldsCase: true, Now: now,
		Types: map[string]warehouse.Type{
			"BOOL": warehouse.Boolean("BOOLEAN"), "INT64": warehouse.Integer("INTEGER"), "TIMESTAMP": warehouse.Timestamp("TIMESTAMP"),
			"STRING": warehouse.Text("STRING"), "BIGNUMERIC": warehouse.Decimal("BIGNUMERIC", 76, 38), "NUMERIC": warehouse.Decimal("NUMERIC", 38, 9),
		},
	}
}

// Play adds a fault.
func (s *Server) Play(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// Heal removes all faults.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// ExpireTokens ends every token that was given out.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// Queries is how many jobs ran.
func (s *Server) Queries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queries
}

// Rows returns the rows of a table, as text, without nulls.
func (s *Server) Rows(project, dataset, table string) []map[string]string {
	return s.engine.Rows(project + "." + dataset + "." + table)
}

// Pin makes a column of a table one that cannot be altered.
func (s *Server) Pin(project, dataset, table, column string, pinned bool) {
	s.engine.Pin(project+"."+dataset+"."+table, column, pinned)
}

// Ban makes a column of a table refuse a value.
func (s *Server) Ban(project, dataset, table, column, value string) {
	s.engine.Ban(project+"."+dataset+"."+table, column, value)
}

// Exec runs SQL as somebody else.
func (s *Server) Exec(sql string) error {
	session := s.engine.Session()
	defer session.Close()
	_, err := session.Run(sql, nil)
	return err
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := s.fault(func(f Fault) bool { return f.Path != "" && strings.Contains(r.Method+" "+r.URL.Path, f.Path) })
	switch {
	case ok && f.AfterWork:
		s.mux.ServeHTTP(discard{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	case ok && f.Status == 0:
		panic(http.ErrAbortHandler)
	case ok:
		fail(w, f.Status, f.Reason, f.Message)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/bigquery/") && !s.known(r) {
		fail(w, http.StatusUnauthorized, "authError", "Request had invalid authentication credentials.")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// discard takes an answer that is lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(_ int)           {}
func (s *Server) fault(is func(Fault) bool) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Times <= 0 || !is(*f) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		f.Times--
		return *f, true
	}
	return Fault{}, false
}

// fail answers with an error as Google's APIs do.
func fail(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": message, "errors": []any{map[string]any{"reason": reason, "message": message, "domain": "global"}},
	}})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) createDataset(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Reference struct {
			Dataset string `json:"datasetId"`
		} `json:"datasetReference"`
		Location string `json:"location"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&body) != nil || body.Reference.Dataset == "" {
		fail(w, http.StatusBadRequest, "invalid", "Invalid dataset")
		return
	}
	name := r.PathValue("project") + "." + body.Reference.Dataset
	s.mu.Lock()
	_, exists := s.datasets[name]
	if !exists {
		s.datasets[name] = body.Location
	}
	s.mu.Unlock()
	if exists {
		fail(w, http.StatusConflict, "duplicate", "Already Exists: Dataset "+name)
		return
	}
	answer(w, datasetOf(r.PathValue("project"), body.Reference.Dataset, body.Location))
}

func datasetOf(project, dataset, location string) map[string]any {
	return map[string]any{"datasetReference": map[string]any{"projectId": project, "datasetId": dataset}, "location": location}
}

func (s *Server) dataset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("project") + "." + r.PathValue("dataset")
	s.mu.Lock()
	location, ok := s.datasets[name]
	s.mu.Unlock()
	if !ok {
		fail(w, http.StatusNotFound, "notFound", "Not found: Dataset "+name)
		return
	}
	answer(w, datasetOf(r.PathValue("project"), r.PathValue("dataset"), location))
}

func (s *Server) table(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("project") + "." + r.PathValue("dataset") + "." + r.PathValue("table")
	columns, ok := s.engine.Table(name)
	if !ok {
		fail(w, http.StatusNotFound, "notFound", "Not found: Table "+name)
		return
	}
	fields := []map[string]any{}
	for _, c := range columns {
		mode := "NULLABLE"
		if c.Required {
			mode = "REQUIRED"
		}
		fields = append(fields, map[string]any{"name": c.Name, "type": c.Type.Name, "mode": mode})
	}
	answer(w, map[string]any{
		"tableReference": map[string]any{"projectId": r.PathValue("project"), "datasetId": r.PathValue("dataset"), "tableId": r.PathValue("table")},
		"type":           "TABLE", "schema": map[string]any{"fields": fields},
	})
}

// dump shows a table to people: {project} is the query parameter project.
func (s *Server) dump(w http.ResponseWriter, r *http.Request) {
	rows := s.Rows(r.URL.Query().Get("project"), r.PathValue("dataset"), r.PathValue("table"))
	if rows == nil {
		fail(w, http.StatusNotFound, "notFound", "no such table; the query parameter project names its project")
		return
	}
	answer(w, rows)
}

type jobRequest struct {
	Reference struct {
		JobID    string `json:"jobId"`
		Location string `json:"location"`
	} `json:"jobReference"`
	Configuration struct {
		Query struct {
			Query      string `json:"query"`
			Legacy     *bool  `json:"useLegacySql"`
			Parameters []struct {
				Name string `json:"name"`
				Type struct {
					Type string `json:"type"`
				} `json:"parameterType"`
				Value struct {
					Value string `json:"value"`
				} `json:"parameterValue"`
			} `json:"queryParameters"`
		} `json:"query"`
	} `json:"configuration"`
}

func (s *Server) insertJob(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	if len(raw) > maxBody {
		fail(w, http.StatusRequestEntityTooLarge, "invalid", "Request payload size exceeds the limit: 10485760 bytes.")
		return
	}
	var job jobRequest
	if err := json.Unmarshal(raw, &job); err != nil || job.Reference.JobID == "" || job.Configuration.Query.Query == "" || job.Configuration.Query.Legacy == nil || *job.Configuration.Query.Legacy {
		fail(w, http.StatusBadRequest, "invalid", "Only query jobs in GoogleSQL with an id are known here")
		return
	}
	id := r.PathValue("project") + "/" + job.Reference.JobID
	s.mu.Lock()
	_, exists := s.jobs[id]
	s.mu.Unlock()
	if exists {
		fail(w, http.StatusConflict, "duplicate", "Already Exists: Job "+job.Reference.JobID)
		return
	}
	done := s.run(r.PathValue("project"), job)
	s.mu.Lock()
	s.jobs[id] = done
	s.queries++
	s.mu.Unlock()
	answer(w, pending(done))
}

// pending is a job whose end has yet to be asked for.
func pending(job map[string]any) map[string]any {
	return map[string]any{"jobReference": job["jobReference"], "configuration": job["configuration"], "status": map[string]any{"state": "RUNNING"}}
}

func (s *Server) run(project string, job jobRequest) map[string]any {
	params := map[string]string{}
	for _, p := range job.Configuration.Query.Parameters {
		params[p.Name] = p.Value.Value
	}
	sql := job.Configuration.Query.Query
	status := map[string]any{"state": "DONE"}
	refuse := func(reason, message string) {
		status["errorResult"] = map[string]any{"reason": reason, "message": message}
	}
	var affected int
	if f, ok := s.fault(func(f Fault) bool { return f.Query != "" && strings.Contains(sql, f.Query) }); ok {
		refuse(f.Reason, f.Message)
	} else {
		session := s.engine.Session()
		result, err := session.Run(sql, params)
		session.Close()
		if affected = result.Affected; err != nil {
			refuse(words(err))
		}
	}
	return map[string]any{
		"jobReference":  map[string]any{"projectId": project, "jobId": job.Reference.JobID, "location": job.Reference.Location},
		"configuration": map[string]any{"jobType": "QUERY", "query": map[string]any{"query": sql, "useLegacySql": false}},
		"status":        status,
		"statistics":    map[string]any{"query": map[string]any{"numDmlAffectedRows": strconv.Itoa(affected), "statementType": "SCRIPT"}},
	}
}

func (s *Server) job(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	job, ok := s.jobs[r.PathValue("project")+"/"+r.PathValue("job")]
	s.mu.Unlock()
	if !ok {
		fail(w, http.StatusNotFound, "notFound", "Not found: Job "+r.PathValue("job"))
		return
	}
	answer(w, job)
}

// words are BigQuery's for an error.
func words(err error) (reason, message string) {
	say := []struct {
		is              error
		reason, message string
	}{
		{warehouse.ErrNoTable, "notFound", "Not found: Table "},
		{warehouse.ErrNoColumn, "invalidQuery", "Unrecognized name: "},
		{warehouse.ErrExists, "duplicate", "Already Exists: "},
		{warehouse.ErrType, "invalidQuery", "Query column has type which cannot be coerced: "},
		{warehouse.ErrValue, "invalidQuery", "Invalid value: "},
		{warehouse.ErrDependent, "invalidQuery", "A materialized view depends on the column: "},
		{warehouse.ErrAmbiguous, "invalidQuery", "UPDATE/MERGE must match at most one source row for each target row: "},
		{warehouse.ErrAssertion, "invalidQuery", ""},
	}
	i := slices.IndexFunc(say, func(c struct {
		is              error
		reason, message string
	}) bool {
		return errors.Is(err, c.is)
	})
	if i < 0 {
		return "invalidQuery", "Syntax error: " + err.Error()
	}
	return say[i].reason, say[i].message + err.Error()
}
