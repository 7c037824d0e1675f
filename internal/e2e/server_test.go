package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads ledgers and warehouses

	"github.com/sluicehq/sluice/internal/demo"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/sandbox"
)

const apiKey = harness.APIKey

// setup is what differs between the servers of tests.
type setup struct {
	level    string   // of the log, default info
	temporal string   // the section's contents, default embedded
	ledger   string   // the section's contents, default SQLite
	args     []string // more of serve
	auth     string   // of the source, default a header
	rest     string   // destinations and routes
}

// server is a `sluice serve` with a data directory of its own.
type server struct {
	child
	process *harness.Server
	url     string
	admin   string
	client  *admin.Client
}

// newServer writes a configuration. Nothing runs yet.
func newServer(t *testing.T, o setup) *server {
	t.Helper()
	p, err := harness.New(harness.Options{
		Sluice: binary(t), Dir: t.TempDir(), LogLevel: o.level, Temporal: o.temporal, Ledger: o.ledger, Args: o.args, Auth: o.auth, Rest: o.rest,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &server{child: child{t: t, Child: &p.Child}, process: p, url: p.URL, admin: p.Admin, client: p.Client}
	t.Cleanup(s.end)
	return s
}

// up starts the server and waits until it accepts webhooks.
func (s *server) up() {
	s.t.Helper()
	s.start()
	if err := s.process.Up(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// ready starts the server and waits until all its parts are well.
func (s *server) ready() {
	s.t.Helper()
	s.up()
	s.awaitReady()
}

func (s *server) awaitReady() {
	s.t.Helper()
	if err := s.process.Ready(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) wait(what string, ok func() bool) {
	s.t.Helper()
	if err := s.process.Wait(s.t.Context(), what, ok); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) target() sandbox.Target {
	return sandbox.Target{URL: s.url, Headers: map[string]string{"api_key": apiKey}}
}

// drained waits until nothing waits any more and returns the status.
func (s *server) drained() admin.Status {
	s.t.Helper()
	status, err := demo.Drained(s.t.Context(), s.client, 5*time.Minute)
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
	out, err := exec.CommandContext(s.t.Context(), s.Program, append(args, "-c", s.process.Config)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// configure replaces part of the configuration while the server runs.
func (s *server) configure(old, new string) {
	s.t.Helper()
	text, err := os.ReadFile(s.process.Config)
	if err != nil {
		s.t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), old, new)
	if changed == string(text) {
		s.t.Fatalf("the configuration has no %q", old)
	}
	if err := os.WriteFile(s.process.Config, []byte(changed), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("reload")
}

// integrity stops the server and checks the files of its ledger.
func (s *server) integrity() {
	s.t.Helper()
	s.stop()
	for _, name := range []string{"events.db", "state.db"} {
		path := filepath.Join(s.process.DataDir, "ledger", name)
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
