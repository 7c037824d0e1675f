package e2e

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/internal/pgtest"
)

// Each of these must not be found anywhere but in the ledger and at the
// destinations. They are long, so that none comes about by chance.
const (
	contents      = "ContentsKilimanjaro7391"
	nested        = "NestedAconcagua2846"
	amount        = "73918264.5501928"
	headerSecret  = "HeaderDenali4417"
	wrongSecret   = "WrongElbrus9920"
	querySecret   = "QueryVinson3318"
	dbSecret      = "PasswordPuncak6650"
	signingSecret = "whsec_TWF0dGVyaG9ybk1hdHRlcmhvcm4="
	bearerSecret  = "BearerLogan8172"
	envSecret     = "EnvironmentMakalu5527"
)

var (
	secretMarks = []string{headerSecret, wrongSecret, querySecret, dbSecret, strings.TrimPrefix(signingSecret, "whsec_"), bearerSecret, envSecret}
	marks       = append([]string{contents, nested, amount}, secretMarks...)
)

// Invariant 5: no record content and no secret in Temporal histories, logs or
// metrics, least of all when deliveries fail and destinations quote what they
// were sent.
func TestNoContentsLeak(t *testing.T) {
	t.Parallel()
	quote := func(status int) string {
		return receive(t, func(w http.ResponseWriter, r *http.Request, body []byte) {
			w.WriteHeader(status)
			_, fields, _ := bytes.Cut(body, []byte(`"fields"`)) // only the beginning of an answer is kept
			fmt.Fprintf(w, "%s cannot take %s", r.Header.Get("Authorization"), fields)
		})
	}
	pg, err := url.Parse(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	pg.User = url.UserPassword(pg.User.Username(), dbSecret) // any password will do there
	var rest strings.Builder
	fmt.Fprintf(&rest, `destinations:
  pg:
    plugin: postgres
    config: {url: %q, schema: books}
    retry: {initial_interval: 50ms, max_interval: 500ms}
  nowhere:
    plugin: postgres
    config: {url: "postgres://someone:%s@127.0.0.1:1/books"}
    retry: {initial_interval: 50ms, max_interval: 500ms}
  trail:
    plugin: file
    config: {path: %q}
    env: {TRAIL_SECRET: %q}
`, pg, dbSecret, t.TempDir(), envSecret)
	hooks := map[string]int{"failing": 500, "refusing": 422, "throttling": 429, "forbidding": 403}
	for name, status := range hooks {
		fmt.Fprintf(&rest, `  %s:
    plugin: webhook
    config: {url: "%s/?token=%s", secret: %q, headers: {Authorization: "Bearer %s"}, allow_networks: [127.0.0.0/8]}
    retry: {initial_interval: 50ms, max_interval: 500ms}
`, name, quote(status), querySecret, signingSecret, bearerSecret)
	}
	rest.WriteString(`routes:
  - name: everywhere
    events: ["*"]
    to: [pg, nowhere, failing, refusing, throttling, forbidding]
  - name: trail
    events: ["*"]
    mode: changes
    to: [trail]
`)
	s := newServer(t, setup{
		level: "debug", rest: rest.String(),
		auth: fmt.Sprintf("header: {name: api_key, value: %q}", headerSecret),
	})
	s.ready()
	post := func(key, body string, want int) {
		t.Helper()
		if status, text := s.postWith(body, map[string]string{"api_key": key}); status != want {
			t.Errorf("answered %d %s, want %d", status, text, want)
		} else if strings.Contains(text, contents) {
			t.Errorf("the answer quotes the body: %s", text)
		}
	}
	record := func(id, platformID, note string) string {
		return fmt.Sprintf(`{"rootfi_id": %q, "created_at": "2026-01-02T03:04:05.678Z", "company_id": 4711, "integration_type": "XERO",
			"data_model": "CONTACTS", "type": "CREATE", "webhook_type": "DATA_MODEL_CHANGES", "no_of_records": 1,
			"data": [{%s "note": %q, "balance": %s, "addresses": [{"city": %q}]}]}`, id, platformID, note, amount, nested)
	}

	post(headerSecret, record("leak-first", `"platform_id": "C1",`, "fine "+contents), http.StatusAccepted)
	eventually(t, time.Minute, "the table of contacts", func() bool {
		_, delivered, _ := s.counts("pg")
		return delivered > 0
	})
	refuseInDatabase(t, pg.String())
	post(headerSecret, record("leak-refused", `"platform_id": "C2",`, "refuse "+contents), http.StatusAccepted)
	post(headerSecret, record("leak-failing", `"platform_id": "C3",`, "fail "+contents), http.StatusAccepted)
	post(headerSecret, record("leak-unkeyed", ``, contents), http.StatusAccepted)
	post(headerSecret, fmt.Sprintf(`{"what": %q, "webhook_type": "NEW_THING", "rootfi_id": "leak-unknown"}`, contents), http.StatusAccepted)
	post(headerSecret, fmt.Sprintf(`{"rootfi_id": "leak-sync", "company_id": 4711, "integration_type": "XERO", "created_at": "2026-01-02T03:05:05.678Z",
		"webhook_type": "SYNC_COMPLETED", "data": {"id": "s1", "status": "SUCCESS", "note": %q}}`, contents), http.StatusAccepted)
	post(headerSecret, `{"broken": "`+contents, http.StatusBadRequest)
	post(wrongSecret, record("leak-untrusted", `"platform_id": "C4",`, contents), http.StatusUnauthorized)

	// Every way of failing has been gone: given up, tried in vain, paused.
	s.wait("fail in every way", func() bool {
		d := s.destinations()
		paused := func(name, reason string) bool { return d[name].Pause != nil && d[name].Pause.Reason == reason }
		return d["pg"].Dead >= 2 && d["pg"].Waiting == 1 && d["refusing"].Dead >= 5 && d["refusing"].Waiting == 0 &&
			d["nowhere"].Waiting > 0 && d["failing"].Waiting > 0 && d["trail"].Waiting == 0 && d["trail"].Delivered > 0 &&
			paused("throttling", ledger.PauseThrottled) && paused("forbidding", ledger.PauseMisconfigured)
	})
	eventually(t, time.Minute, "the third attempt", func() bool {
		records, err := s.client.Records(t.Context(), map[string]string{"platform_id": "C3"})
		if err != nil || len(records) != 1 {
			t.Fatalf("record C3: %v, %v", records, err)
		}
		quoting := 0
		for _, d := range records[0].Deliveries {
			if d.Attempts >= 3 && strings.Contains(d.Message, contents) {
				quoting++
			}
		}
		// At failing too, unless it counted as down by then: probes are no attempts,
		// and its pause quotes it.
		if p := s.destinations()["failing"].Pause; p != nil && p.Reason == ledger.PauseDown && strings.Contains(p.Message, "calls fail") {
			quoting++
		}
		return quoting >= 2 // pg and failing
	})
	// Operators see what was said, but for the secrets.
	out := s.run("dead-letters", "list", "-o", "json")
	if !strings.Contains(out, contents) {
		t.Errorf("no dead letter says what its destination said: %s", out)
	}
	cleanOfSecrets(t, s)

	status, err := s.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clean(t, "a history or description", dumpTemporal(t, status.Links.Temporal), "leak-first")
	clean(t, "the metrics", httpGet(t, "http://"+s.admin+"/metrics"), "sluice_")
	clean(t, "Temporal's files", readAll(t, filepath.Join(s.process.DataDir, "temporal*.db*")), "leak-first")
	s.stop()
	clean(t, "Temporal's files after the stop", readAll(t, filepath.Join(s.process.DataDir, "temporal*.db*")), "leak-first")
	clean(t, "the log", readAll(t, s.Log), "level=DEBUG")
}

// refuseInDatabase makes PostgreSQL quote rows in its errors, once as a fault of
// the row and once as one that may pass.
func refuseInDatabase(t *testing.T, url string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		`ALTER TABLE books.contacts ADD CONSTRAINT picky CHECK (note IS NULL OR note NOT LIKE 'refuse%')`,
		`CREATE FUNCTION books.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.note LIKE 'fail%' THEN RAISE EXCEPTION 'no room for %', NEW USING ERRCODE = '53100', DETAIL = NEW.note; END IF;
			RETURN NEW;
		END $$`,
		`CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON books.contacts FOR EACH ROW EXECUTE FUNCTION books.fail()`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// clean looks for every mark in every form. control must be found: it proves
// that the place was looked at.
func clean(t *testing.T, where string, text []byte, control string) {
	t.Helper()
	lacks(t, where, text, control, marks)
}

func lacks(t *testing.T, where string, text []byte, control string, marks []string) {
	t.Helper()
	if !bytes.Contains(text, []byte(control)) {
		t.Errorf("%s does not even hold %q", where, control)
	}
	for _, mark := range marks {
		for _, form := range forms(mark) {
			if i := bytes.Index(text, []byte(form)); i >= 0 {
				t.Errorf("%s holds %s: …%q…", where, mark, text[max(0, i-200):min(len(text), i+len(form)+50)])
				break
			}
		}
	}
}

// forms are the ways in which a text may be written down.
func forms(text string) []string {
	out := []string{text, hex.EncodeToString([]byte(text)), url.QueryEscape(text)}
	for shift := range 3 {
		// Characters that also depend on what stands around are left out.
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + text))
		out = append(out, strings.TrimRight(encoded[4*min(shift, 1):], "=")[:len(text)])
	}
	return out
}

// dumpTemporal returns everything that Temporal tells of every workflow.
func dumpTemporal(t *testing.T, address string) []byte {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: address, Logger: silent()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out bytes.Buffer
	add := func(m proto.Message) {
		t.Helper()
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		text, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(raw)
		out.Write(text)
	}
	list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	add(list)
	if len(list.Executions) == 0 {
		t.Fatal("there are no workflows")
	}
	for _, e := range list.Executions {
		add(historyOf(t, c, e.Execution.WorkflowId, e.Execution.RunId))
		description, err := c.DescribeWorkflowExecution(t.Context(), e.Execution.WorkflowId, e.Execution.RunId)
		if err != nil {
			t.Fatal(err)
		}
		add(description)
		metadata, err := c.QueryWorkflow(t.Context(), e.Execution.WorkflowId, e.Execution.RunId, "__temporal_workflow_metadata")
		if err != nil {
			t.Fatal(err)
		}
		var details sdkpb.WorkflowMetadata
		if err := metadata.Get(&details); err != nil {
			t.Fatal(err)
		}
		add(&details)
	}
	return out.Bytes()
}

func httpGet(t *testing.T, url string) []byte {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, res.Status, err)
	}
	return text
}

func readAll(t *testing.T, pattern string) []byte {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing matches %s: %v", pattern, err)
	}
	var out []byte
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text...)
	}
	return out
}
