package plugintest_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sluicehq/sluice/internal/clickhousetest"
	"github.com/sluicehq/sluice/internal/fake/hubspot"
	"github.com/sluicehq/sluice/internal/fake/s3"
	"github.com/sluicehq/sluice/internal/fake/salesforce"
	"github.com/sluicehq/sluice/internal/mariadbtest"
	"github.com/sluicehq/sluice/internal/pgtest"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/destination/conformance/httpfault"
	"github.com/sluicehq/sluice/plugins/kafka/kafkatest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// systems start what is behind a shipped destination, and return the variables
// that its conformance.yaml asks for.
var systems = map[string]func(*testing.T) map[string]string{
	"file":   func(*testing.T) map[string]string { return nil },
	"sqlite": func(*testing.T) map[string]string { return nil },
	"postgres": func(t *testing.T) map[string]string {
		return map[string]string{"DATABASE_URL": pgtest.URL(t)}
	},
	"redshift":  redshiftSystem,
	"bigquery":  bigquerySystem,
	"snowflake": snowflakeSystem,
	"mysql": func(t *testing.T) map[string]string {
		_, url := mariadbtest.Own(t)
		db, err := sql.Open("mysql", strings.NewReplacer("mysql://", "", "@", "@tcp(", "/test", ")/test?sql_mode=ANSI_QUOTES").Replace(url))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		query := func(q string) (*sql.Rows, error) { return db.Query(q) }
		return map[string]string{
			"MARIADB": url, "MARIADB_WRONG": strings.Replace(url, "root@", "nobody:wrong@", 1), "ROWS": tables(t, query, "", "doesn't exist"),
		}
	},
	"clickhouse": func(t *testing.T) map[string]string {
		_, url := clickhousetest.Own(t)
		o, err := clickhouse.ParseDSN(url)
		if err != nil {
			t.Fatal(err)
		}
		db := clickhouse.OpenDB(o)
		t.Cleanup(func() { _ = db.Close() })
		query := func(q string) (*sql.Rows, error) { return db.Query(q) }
		return map[string]string{
			"CLICKHOUSE": url, "CLICKHOUSE_WRONG": strings.Replace(url, "default@", "nobody:wrong@", 1), "ROWS": tables(t, query, " FINAL", "doesn't exist"),
		}
	},
	"duckdb": func(t *testing.T) map[string]string {
		rows := filepath.Join(t.TempDir(), "rows")
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", rows, "./testdata/rows")
		cmd.Dir, cmd.Env = "../../plugins/duckdb", append(os.Environ(), "CGO_ENABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return map[string]string{"ROWS": rows}
	},
	"webhook": func(t *testing.T) map[string]string {
		const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		verify, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		r := &receiver{verify: verify, places: map[string]map[string]message{}}
		return map[string]string{
			"RECEIVER": serve(t, r, func(path string) any { return r.rows(path) }, nil, func() {}), "RECEIVER_SECRET": secret,
		}
	},
	"kafka": func(t *testing.T) map[string]string {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DefaultNumPartitions(3),
			kfake.BrokerConfigs(map[string]string{"message.max.bytes": "4000000"}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		rows := func(path string) any {
			topic := strings.ReplaceAll(path, "/", ".")
			list, err := kafkatest.Rows(t.Context(), topic, kgo.SeedBrokers(c.ListenAddrs()...))
			if err != nil {
				t.Error(err)
			}
			return list
		}
		return map[string]string{
			"BROKER": c.ListenAddrs()[0], "CONSUMER": serve(t, http.NotFoundHandler(), rows, nil, func() {}),
		}
	},
	"s3": func(t *testing.T) map[string]string {
		const secret = "the-secret-of-the-store"
		store := s3.New(s3.Options{Bucket: "lake", Region: "us-east-1", AccessKeyID: "sluice", SecretAccessKey: secret})
		return map[string]string{
			"STORE": serve(t, store, func(path string) any { return lakeRows(t, store, path+"/") }, nil, func() {}), "STORE_SECRET": secret,
		}
	},
	"hubspot": func(t *testing.T) map[string]string {
		var account atomic.Pointer[hubspot.Server]
		reset := func() {
			account.Store(hubspot.New(hubspot.Options{
				ClientID: "client", ClientSecret: "secret-of-the-client", RefreshToken: "refresh-token-of-the-account",
				Custom: []string{"invoices", "bills"},
			}))
		}
		rows := func(object string) any {
			var out []map[string]string
			for _, properties := range account.Load().Records(object) {
				row := map[string]string{}
				for name, value := range properties {
					if field, own := strings.CutPrefix(name, "sluice_"); own {
						name = "_" + field
					}
					row[name] = value
				}
				out = append(out, row)
			}
			return out
		}
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { account.Load().ServeHTTP(w, r) })
		return map[string]string{"HUBSPOT": serve(t, api, rows, func() { account.Load().ExpireTokens() }, reset)}
	},
	"salesforce": func(t *testing.T) map[string]string {
		var org atomic.Pointer[salesforce.Server]
		fields := map[string]salesforce.Field{
			"Key__c": {ExternalID: true}, "Version__c": {Kind: salesforce.Number}, "Deleted__c": {Kind: salesforce.Checkbox},
			"memo": {Length: 131072}, "note": {}, "amount": {Kind: salesforce.Number}, "units": {Kind: salesforce.Number},
			"paid": {Kind: salesforce.Checkbox}, "due_at": {Kind: salesforce.DateTime}, "lines": {Length: 131072}, "brand_new": {},
			"field_0": {Kind: salesforce.Number}, "field_1": {Kind: salesforce.Number},
			"field_2": {Kind: salesforce.Number}, "field_3": {Kind: salesforce.Number},
		}
		reset := func() {
			org.Store(salesforce.New(salesforce.Options{
				Schema: salesforce.Schema{"invoices": fields, "bills": fields}, ClientID: "client", ClientSecret: "secret-of-the-app",
			}))
		}
		rows := func(object string) any {
			var out []map[string]string
			for _, r := range org.Load().Records(object) {
				row := map[string]string(r)
				parts := strings.SplitN(row["Key__c"], ":", 3)
				row["_company_id"], row["_integration_type"] = parts[0], parts[1]
				row["_platform_id"] = strings.NewReplacer(`\\`, `\`, `\:`, ":").Replace(parts[2])
				if row["Deleted__c"] == "true" {
					row["_deleted_at"] = "then"
				}
				out = append(out, row)
			}
			return out
		}
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { org.Load().ServeHTTP(w, r) })
		return map[string]string{"SALESFORCE": serve(t, api, rows, func() { org.Load().ExpireTokens(0) }, reset)}
	},
}

// tables serves the rows of tables of a database, and of those with their changes,
// with every value as text.
func tables(t *testing.T, query func(string) (*sql.Rows, error), final, missing string) string {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /rows/{table}", func(w http.ResponseWriter, r *http.Request) {
		all := []map[string]any{}
		for _, table := range []string{r.PathValue("table"), r.PathValue("table") + "_changes"} {
			found, err := query(`SELECT * FROM "` + table + `"` + final)
			if err != nil && strings.Contains(err.Error(), missing) {
				continue
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			rows, err := texts(found)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			all = append(all, rows...)
		}
		_ = json.NewEncoder(w).Encode(all) // the client went away
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func texts(found *sql.Rows) ([]map[string]any, error) {
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		return nil, err
	}
	var out []map[string]any
	for found.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := found.Scan(into...); err != nil {
			return nil, err
		}
		row := map[string]any{}
		for i, name := range names {
			switch v := cells[i].(type) {
			case nil:
			case []byte:
				row[name] = string(v)
			case *string: // of a nullable column
				if v != nil {
					row[name] = *v
				}
			default:
				row[name] = fmt.Sprint(v)
			}
		}
		out = append(out, row)
	}
	return out, found.Err()
}

// lakeRows reads objects of JSONL as the README of the destination s3 says.
func lakeRows(t *testing.T, store *s3.Store, prefix string) []map[string]json.RawMessage {
	newest, appended := map[string]map[string]json.RawMessage{}, map[string]map[string]json.RawMessage{}
	versions := map[string]int64{}
	for key, o := range store.Objects() {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		for line := range bytes.Lines(o.Body) {
			var row map[string]json.RawMessage
			if err := json.Unmarshal(line, &row); err != nil {
				t.Error(err)
				continue
			}
			version, err := strconv.ParseInt(string(row["_version"]), 10, 64)
			if err != nil { // a change or an event
				appended[string(row["_idempotency_key"])] = row
				continue
			}
			id := string(row["_company_id"]) + string(row["_integration_type"]) + string(row["_platform_id"])
			if old, ok := versions[id]; !ok || old < version {
				versions[id], newest[id] = version, row
			}
		}
	}
	maps.DeleteFunc(newest, func(_ string, row map[string]json.RawMessage) bool { return string(row["_deleted"]) == "true" })
	return append(slices.Collect(maps.Values(newest)), slices.Collect(maps.Values(appended))...)
}

// serve serves the fake of an API with what a test wants of it beside.
func serve(t *testing.T, api http.Handler, rows func(path string) any, expire, reset func()) string {
	reset()
	faulty := httpfault.New(api, expire)
	mux := http.NewServeMux()
	mux.Handle("/", faulty)
	mux.HandleFunc("POST /reset", func(http.ResponseWriter, *http.Request) { reset() })
	mux.HandleFunc("GET /rows/{path...}", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(rows(r.PathValue("path"))) // the client went away
	})
	mux.HandleFunc("POST /fault/{kind}", func(w http.ResponseWriter, r *http.Request) {
		seconds, _ := strconv.Atoi(r.FormValue("retry_after"))
		after, _ := strconv.Atoi(r.FormValue("after"))
		f := conformance.Fault{
			Kind: conformance.FaultKind(r.PathValue("kind")), RetryAfter: time.Duration(seconds) * time.Second, After: after,
		}
		if !faulty.Fault(f) {
			http.Error(w, "no such fault", http.StatusNotFound)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// message is a part of what the destination webhook sends.
type message struct {
	ID        string                     `json:"id"`
	Object    string                     `json:"object"`
	Operation string                     `json:"operation"`
	Version   int64                      `json:"version"`
	Key       map[string]string          `json:"key"`
	Fields    map[string]json.RawMessage `json:"fields"`
}

// receiver keeps, for each path, the message with the largest version of each
// record and each appended message once.
type receiver struct {
	verify *standardwebhooks.Webhook
	mu     sync.Mutex
	places map[string]map[string]message
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the client went away
	}
	if err := r.verify.Verify(body, req.Header); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := m.Object + m.ID
	if m.Operation != "append" {
		names := slices.Sorted(maps.Keys(m.Key))
		key = m.Object
		for _, name := range names {
			key += "\x00" + m.Key[name]
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.places[strings.Trim(req.URL.Path, "/")]
	if p == nil {
		p = map[string]message{}
		r.places[strings.Trim(req.URL.Path, "/")] = p
	}
	if old, ok := p[key]; !ok || old.Version < m.Version {
		p[key] = m
	}
}

// rows are those of PLACE/OBJECT.
func (r *receiver) rows(path string) any {
	name, object, _ := strings.Cut(path, "/")
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []map[string]any
	for _, m := range r.places[name] {
		if m.Object != object || m.Operation == "delete" {
			continue
		}
		row := map[string]any{}
		for name, value := range m.Key {
			row[name] = value
		}
		for name, value := range m.Fields {
			row[name] = value
		}
		out = append(out, row)
	}
	return out
}
