package snowflake

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/fake/warehouse"
)

// maxBody is the largest request, and maxText the longest text of a column.
const (
	maxBody = 64 << 20
	maxText = 16 << 20
)

// Options say what the account is like.
type Options struct {
	// Users are the public keys of users, by ACCOUNT.USER. Without any, nobody is
	// asked who he is.
	Users map[string]*rsa.PublicKey
	// Databases are those that exist.
	Databases []string
	// Warehouses are those that exist; without any, every name will do.
	Warehouses []string
	// Now is the clock; nil is the machine's.
	Now func() time.Time
}

// Fault is what goes wrong with a request whose SQL contains a text.
type Fault struct {
	Contains string
	Times    int
	Status   int // of the answer; 0 cuts the connection
	// Code, State and Message are those of an error; with Status 422 the statement
	// fails with them.
	Code, State, Message string
	// AfterWork does what is asked and then loses the answer.
	AfterWork bool
	// Slow answers 202 first, and the result when it is asked for.
	Slow bool
}

// Server is the account. It is an [http.Handler] and safe for concurrent use.
type Server struct {
	options Options
	engine  *warehouse.Engine
	mux     *http.ServeMux

	mu       sync.Mutex
	schemas  map[string]struct{}
	requests map[string]result // by request id
	results  map[string]result // by statement handle
	faults   []Fault
}

// result is the answer to a statement.
type result struct {
	status int
	body   map[string]any
}

// New makes an account.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{
		options: o, engine: warehouse.New(dialect(o.Now)), mux: http.NewServeMux(), schemas: map[string]struct{}{},
		requests: map[string]result{}, results: map[string]result{},
	}
	s.mux.HandleFunc("POST /api/v2/statements", s.submit)
	s.mux.HandleFunc("GET /api/v2/statements/{handle}", s.poll)
	s.mux.HandleFunc("GET /sandbox/tables/{database}/{schema}/{table}", s.dump)
	return s
}

func dialect(now func() time.Time) warehouse.Dialect {
	return warehouse.Dialect{
		Quote: '"', Fold: strings.ToUpper, Now: now,
		Types: map[string]warehouse.Type{
			"BOOLEAN": warehouse.Boolean("BOOLEAN"), "NUMBER": warehouse.Decimal("NUMBER(38,0)", 38, 0).Padded(), "INTEGER": warehouse.Decimal("NUMBER(38,0)", 38, 0).Padded(),
			"TIMESTAMP_TZ": warehouse.Timestamp("TIMESTAMP_TZ(9)"), "VARCHAR": warehouse.Text("VARCHAR(16777216)"),
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

// Engine holds the tables, by DATABASE.SCHEMA.TABLE.
func (s *Server) Engine() *warehouse.Engine { return s.engine }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") && !s.known(r) {
		answer(w, result{http.StatusUnauthorized, map[string]any{"code": "390144", "message": "JWT token is invalid."}})
		return
	}
	s.mux.ServeHTTP(w, r)
}

func answer(w http.ResponseWriter, r result) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_ = json.NewEncoder(w).Encode(r.body)
}

type request struct {
	Statement  string `json:"statement"`
	Warehouse  string `json:"warehouse"`
	Role       string `json:"role"`
	Parameters struct {
		Count string `json:"MULTI_STATEMENT_COUNT"`
	} `json:"parameters"`
	Bindings map[string]struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"bindings"`
}

func (s *Server) submit(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&q); err != nil || q.Statement == "" {
		answer(w, result{http.StatusBadRequest, map[string]any{"code": "391902", "message": "Unable to parse the request body."}})
		return
	}
	id := r.URL.Query().Get("requestId")
	s.mu.Lock()
	done, again := s.requests[id]
	s.mu.Unlock()
	fault, faulty := Fault{}, false
	if again && id != "" && r.URL.Query().Get("retry") == "true" {
		answer(w, done)
		return
	}
	if fault, faulty = s.fault(q.Statement); faulty && !fault.AfterWork && !fault.Slow {
		if fault.Status == 0 {
			panic(http.ErrAbortHandler)
		}
		answer(w, result{fault.Status, map[string]any{"code": fault.Code, "sqlState": fault.State, "message": fault.Message}})
		return
	}
	handle := rand.Text()
	done = s.run(q, handle)
	s.mu.Lock()
	s.requests[id], s.results[handle] = done, done
	s.mu.Unlock()
	switch {
	case fault.AfterWork:
		panic(http.ErrAbortHandler)
	case fault.Slow:
		done = result{http.StatusAccepted, map[string]any{"code": "333334", "message": "Asynchronous execution in progress.", "statementHandle": handle}}
	}
	answer(w, done)
}

func (s *Server) poll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	done, ok := s.results[r.PathValue("handle")]
	s.mu.Unlock()
	if !ok {
		done = result{http.StatusNotFound, map[string]any{"code": "391401", "message": "Result not found."}}
	}
	answer(w, done)
}

func (s *Server) fault(sql string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		if f := &s.faults[i]; f.Times > 0 && strings.Contains(sql, f.Contains) {
			f.Times--
			return *f, true
		}
	}
	return Fault{}, false
}

var (
	describing = regexp.MustCompile(`^DESCRIBE TABLE "((?:[^"]|"")*)"\."((?:[^"]|"")*)"\."((?:[^"]|"")*)"$`)
	schema     = regexp.MustCompile(`^CREATE SCHEMA IF NOT EXISTS "((?:[^"]|"")*)"\."((?:[^"]|"")*)"$`)
	qualified  = regexp.MustCompile(`"((?:[^"]|"")*)"\."((?:[^"]|"")*)"\."`)
)

func plain(name string) string { return strings.ReplaceAll(name, `""`, `"`) }

func (s *Server) run(q request, handle string) result {
	fail := func(code, state, message string) result {
		return result{http.StatusUnprocessableEntity, map[string]any{"code": code, "sqlState": state, "message": message, "statementHandle": handle}}
	}
	if len(s.options.Warehouses) > 0 && !slices.Contains(s.options.Warehouses, q.Warehouse) {
		return fail("000606", "57P03", "No active warehouse selected in the current session.")
	}
	several := strings.Contains(strings.TrimRight(strings.TrimSpace(q.Statement), ";"), ";\n")
	switch {
	case several && q.Parameters.Count != "0":
		return fail("000008", "0A000", "Actual statement count did not match the desired statement count 1.")
	case several && len(q.Bindings) > 0:
		return fail("000008", "0A000", "No bind variables in a request of several statements here.")
	}
	ok := func(data [][]any) result {
		return result{http.StatusOK, map[string]any{"code": "090001", "sqlState": "00000", "message": "Statement executed successfully.", "statementHandle": handle, "data": data}}
	}
	if m := schema.FindStringSubmatch(q.Statement); m != nil {
		if !slices.Contains(s.options.Databases, plain(m[1])) {
			return fail("002003", "02000", "SQL compilation error: Database '"+plain(m[1])+"' does not exist or not authorized.")
		}
		s.mu.Lock()
		s.schemas[plain(m[1])+"."+plain(m[2])] = struct{}{}
		s.mu.Unlock()
		return ok(nil)
	}
	for _, m := range qualified.FindAllStringSubmatch(q.Statement, -1) {
		s.mu.Lock()
		_, exists := s.schemas[plain(m[1])+"."+plain(m[2])]
		s.mu.Unlock()
		if !exists {
			return fail("002003", "02000", "SQL compilation error: Schema does not exist or not authorized.")
		}
	}
	if m := describing.FindStringSubmatch(q.Statement); m != nil {
		columns, found := s.engine.Table(plain(m[1]) + "." + plain(m[2]) + "." + plain(m[3]))
		if !found {
			return fail("002003", "02000", "SQL compilation error: Table does not exist or not authorized.")
		}
		var data [][]any
		for _, c := range columns {
			data = append(data, []any{c.Name, c.Type.Name, "COLUMN", "Y"})
		}
		return ok(data)
	}
	params := map[string]string{}
	for n, b := range q.Bindings {
		if len(b.Value) > maxText {
			return fail("100078", "22000", "String is too long and would be truncated")
		}
		params[n] = b.Value
	}
	session := s.engine.Session()
	defer session.Close()
	done, err := session.Run(q.Statement, params)
	if err != nil {
		return fail(words(err))
	}
	data := [][]any{}
	for _, r := range done.Rows {
		var line []any
		for _, v := range r {
			if line = append(line, v.Text); v.Null {
				line[len(line)-1] = nil
			}
		}
		data = append(data, line)
	}
	if done.Columns == nil {
		data = append(data, []any{strconv.Itoa(done.Affected)})
	}
	return ok(data)
}

// words are Snowflake's for an error.
func words(err error) (code, state, message string) {
	for _, w := range []struct {
		is                   error
		code, state, message string
	}{
		{warehouse.ErrNoTable, "002003", "42S02", "SQL compilation error: Object does not exist or not authorized. "},
		{warehouse.ErrNoColumn, "000904", "42000", "SQL compilation error: invalid identifier "},
		{warehouse.ErrExists, "002002", "42710", "SQL compilation error: Object already exists. "},
		{warehouse.ErrType, "002023", "22000", "SQL compilation error: Expression type does not match column data type. "},
		{warehouse.ErrValue, "100038", "22018", "Numeric value is not recognized: "},
		{warehouse.ErrDependent, "002262", "42601", "SQL compilation error: Cannot drop column. "},
		{warehouse.ErrAmbiguous, "100090", "42P18", "Duplicate row detected during DML action. "},
	} {
		if errors.Is(err, w.is) {
			return w.code, w.state, w.message + err.Error()
		}
	}
	return "001003", "42000", "SQL compilation error: syntax error. " + err.Error()
}

// dump shows a table to people.
func (s *Server) dump(w http.ResponseWriter, r *http.Request) {
	rows := s.engine.Rows(r.PathValue("database") + "." + r.PathValue("schema") + "." + r.PathValue("table"))
	if rows == nil {
		http.Error(w, "no such table", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(rows)
}
