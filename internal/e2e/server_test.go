package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads ledgers and warehouses

	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/sandbox"
)

const apiKey = "e2e-key"

// setup is what differs between the servers of tests.
type setup struct {
	level    string // of the log, default info
	temporal string // the section's contents, default embedded
	auth     string // of the source, default a header
	rest     string // destinations and routes
}

// server is a `sluice serve` with a data directory of its own.
type server struct {
	child
	dir, conf  string
	url, admin string
	client     *admin.Client
}

// newServer writes a configuration. Nothing runs yet.
func newServer(t *testing.T, o setup) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	ports := freePorts(t, 3)
	s.conf = filepath.Join(s.dir, "sluice.yaml")
	s.url = "http://" + ports[0] + "/webhooks/rootfi"
	s.admin = ports[1]
	s.client = admin.NewClient(s.admin, "")
	if o.level == "" {
		o.level = "info"
	}
	if o.temporal == "" {
		o.temporal = fmt.Sprintf("embedded: {listen: '127.0.0.1:0', ui: %q}", ports[2])
	}
	if o.auth == "" {
		o.auth = fmt.Sprintf("- header: {name: api_key, value: %q}", apiKey)
	}
	text := fmt.Sprintf(`server: {listen: %q, admin: %q, shutdown_timeout: 10s}
data_dir: %q
log: {level: %s}
temporal: {%s}
sources:
  rootfi:
    type: rootfi
    auth:
      %s
`, ports[0], ports[1], s.dataDir(), o.level, o.temporal, o.auth) + o.rest
	if err := os.WriteFile(s.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.child = child{
		t: t, program: binary(t), args: []string{"serve", "-c", s.conf}, log: filepath.Join(s.dir, "log"),
	}
	t.Cleanup(s.end)
	return s
}

func (s *server) dataDir() string { return filepath.Join(s.dir, "data") }

// freePorts returns loopback addresses that nobody listens on. They are below
// the range from which the kernel gives outgoing connections their ports: a
// server that is started again must find its port free.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	var out []string
	for ; len(out) < n; ports.next++ {
		if ports.next == 0 {
			ports.next = 20_000 + os.Getpid()%10_000
		}
		if ports.next >= 32_000 {
			ports.next = 20_000
		}
		address := fmt.Sprintf("127.0.0.1:%d", ports.next)
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		out = append(out, address)
	}
	return out
}

var ports struct {
	sync.Mutex
	next int
}

// up starts the server and waits until it accepts webhooks.
func (s *server) up() {
	s.t.Helper()
	s.start()
	s.wait("accept webhooks", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(s.url, "/webhooks/rootfi"), "http://"))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// ready starts the server and waits until all its parts are well.
func (s *server) ready() {
	s.t.Helper()
	s.up()
	s.awaitReady()
}

func (s *server) awaitReady() {
	s.t.Helper()
	s.wait("get ready", func() bool {
		r, err := s.client.Ready(s.t.Context())
		return err == nil && r.Status == admin.StatusReady
	})
}

func (s *server) wait(what string, ok func() bool) {
	s.t.Helper()
	eventually(s.t, 90*time.Second, "the server to "+what, func() bool {
		if !s.running() {
			s.t.Fatalf("the server ended: %v\n%s", s.result, s.logTail())
		}
		return ok()
	})
}

func (s *server) target() sandbox.Target {
	return sandbox.Target{URL: s.url, Headers: map[string]string{"api_key": apiKey}}
}

// drained waits until nothing waits any more and returns the status.
func (s *server) drained() admin.Status {
	s.t.Helper()
	status, err := demo.Drained(s.t.Context(), s.client, 2*time.Minute)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.standing())
	}
	return status
}

// standing describes the destinations, for messages of failed tests.
func (s *server) standing() string {
	list, err := s.client.Destinations(s.t.Context())
	if err != nil {
		return err.Error()
	}
	text, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// counts returns what waits, was delivered and is dead at a destination.
func (s *server) counts(destination string) (waiting, delivered, dead int64) {
	s.t.Helper()
	status, err := s.client.Status(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, d := range status.Deliveries {
		if d.Destination == destination {
			waiting, delivered, dead = waiting+d.Waiting, delivered+d.Delivered, dead+d.Dead
		}
	}
	return waiting, delivered, dead
}

// served waits until the destinations have everything that was accepted,
// whatever others wait for.
func (s *server) served(names ...string) {
	s.t.Helper()
	s.wait("serve "+strings.Join(names, ", "), func() bool {
		status, err := s.client.Status(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		// The backlog first: what is not merged waits for nobody yet.
		waiting := status.Backlog.Events + status.Backlog.Batches
		for _, d := range status.Deliveries {
			if slices.Contains(names, d.Destination) {
				waiting += d.Waiting
			}
		}
		return waiting == 0
	})
}

// destinations returns how the destinations stand, by name.
func (s *server) destinations() map[string]admin.Destination {
	s.t.Helper()
	list, err := s.client.Destinations(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	out := make(map[string]admin.Destination)
	for _, d := range list {
		out[d.Destination] = d
	}
	return out
}

// post sends one webhook and returns the status and body of the answer.
func (s *server) post(body string) (int, string) {
	s.t.Helper()
	return s.postWith(body, map[string]string{"api_key": apiKey})
}

func (s *server) postWith(body string, headers map[string]string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, text.String()
}

// accept sends one webhook that must be accepted.
func (s *server) accept(body string) {
	s.t.Helper()
	if status, text := s.post(body); status != http.StatusAccepted {
		s.t.Fatalf("a webhook was answered %d %s", status, text)
	}
}

// run runs a sub-command against this server's configuration.
func (s *server) run(args ...string) string {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), s.program, append(args, "-c", s.conf)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// integrity stops the server and checks the files of its ledger.
func (s *server) integrity() {
	s.t.Helper()
	s.stop()
	for _, name := range []string{"events.db", "state.db"} {
		path := filepath.Join(s.dataDir(), "ledger", name)
		if _, err := os.Stat(path); err != nil {
			s.t.Fatal(err)
		}
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			s.t.Fatal(err)
		}
		var verdict string
		err = db.QueryRowContext(s.t.Context(), "PRAGMA integrity_check").Scan(&verdict)
		if err != nil || verdict != "ok" {
			s.t.Errorf("%s: %s %v", name, verdict, err)
		}
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}
}
