package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/leaktest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// buildFile builds the file plugin once for all tests.
func buildFile(t *testing.T) (dir string) {
	t.Helper()
	return filepath.Dir(hosttest.Build(t, "../../plugins/file", "file"))
}

// site is a directory with a configuration.
type site struct {
	*testing.T
	dir string
	log *lockedLog
}

// lockedLog is a log that a test reads while it is written.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSite(t *testing.T) *site { return &site{T: t, dir: t.TempDir(), log: new(lockedLog)} }

// app builds an App from the configuration, in which DIR is the site's directory.
func (s *site) app(yaml string) *app.App {
	s.Helper()
	name := filepath.Join(s.dir, "sluice.yaml")
	if err := os.WriteFile(name, []byte(strings.ReplaceAll(yaml, "DIR", s.dir)), 0o600); err != nil {
		s.Fatal(err)
	}
	f, err := config.Load(name, os.LookupEnv)
	if err != nil {
		s.Fatal(err)
	}
	return app.New(app.Options{File: f, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Version: "test"})
}

const head = `
server: {listen: "127.0.0.1:0", admin: "127.0.0.1:0", shutdown_timeout: 20s}
data_dir: DIR/data
temporal: {embedded: {listen: "127.0.0.1:0", ui: "127.0.0.1:0"}}
sources: {rootfi: {type: rootfi, auth: none}}
`

func toFile(plugins string) string {
	return head + `
plugin_dirs: ["` + plugins + `"]
destinations: {audit: {plugin: file, config: {path: DIR/out}}}
routes: [{name: all, events: ["*"], mode: changes, to: [audit]}]
`
}

// run runs the app until the returned function, which may be called more than
// once, and gives its error.
func run(t *testing.T, a *app.App) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if err := a.Start(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	stop = func() error {
		cancel()
		return a.Stop(context.WithoutCancel(ctx))
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func (s *site) post(a *app.App, id string) {
	s.Helper()
	body := fmt.Sprintf(`{"rootfi_id":%q,"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"integration_type":"XERO",`+
		`"data_model":"BILLS","type":"CREATE","data":[{"platform_id":%q,"amount":1.10}]}`, id, id)
	res, err := http.Post("http://"+a.Endpoint().String()+"/webhooks/rootfi", "application/json", strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		s.Fatalf("answered %s", res.Status)
	}
}

// patience is for the slowest machine that tests run on.
const patience = 2 * time.Minute

// delivered waits until the admin API counts n deliveries to the file.
func (s *site) delivered(a *app.App, n int64) {
	s.Helper()
	c := admin.NewClient(a.Admin().String(), "")
	var got []admin.Destination
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var err error
		if got, err = c.Destinations(s.Context()); err != nil {
			s.Fatal(err)
		}
		if len(got) == 1 && got[0].Delivered == n && got[0].Waiting == 0 {
			return
		}
	}
	s.Fatalf("not delivered: %+v\n%s", got, s.log)
}

func TestStartsAndStopsClean(t *testing.T) {
	plugins := buildFile(t)
	before := leaktest.Before()
	s := newSite(t)
	a := s.app(toFile(plugins))
	stop := run(t, a)
	s.post(a, "one")
	s.delivered(a, 1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Errorf("stopped again: %v", err)
	}
	if _, err := net.Dial("tcp", a.Endpoint().String()); err == nil {
		t.Error("the endpoint still listens")
	}
	http.DefaultClient.CloseIdleConnections()
	leaktest.Verify(t, append(leaktest.LeftByTemporal, before)...)
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("the log has errors:\n%s", s.log)
	}
}

// What was accepted while it stopped is delivered by the next one.
func TestStopInTheMiddleLosesNothing(t *testing.T) {
	plugins := buildFile(t)
	s := newSite(t)
	a := s.app(toFile(plugins))
	stop := run(t, a)
	const n = 60
	for i := range n / 2 {
		s.post(a, fmt.Sprint("a", i))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	a = s.app(toFile(plugins))
	stop = run(t, a)
	for i := range n / 2 {
		s.post(a, fmt.Sprint("b", i))
	}
	s.delivered(a, n)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "out", "bills.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(text), "\n"); got != n {
		t.Errorf("%d lines for %d changes", got, n)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s := newSite(t)
	a := s.app(head)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	for end := time.Now().Add(patience); !strings.Contains(s.log.String(), "temporal is ready"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not ready:\n%s", s.log)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	plugins := buildFile(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	for name, tt := range map[string]struct{ yaml, want string }{
		"port of the endpoint in use":   {strings.Replace(head, `listen: "127.0.0.1:0"`, `listen: "`+port+`"`, 1), "server.listen: listen tcp " + port + ": bind: address already in use"},
		"port of the admin API in use":  {strings.Replace(head, `admin: "127.0.0.1:0"`, `admin: "`+port+`"`, 1), "server.admin: listen tcp " + port + ": bind: address already in use"},
		"no such plugin":                {strings.Replace(toFile(plugins), "plugin: file", "plugin: flie", 1), `no plugin "flie"`},
		"settings the plugin refuses":   {strings.Replace(toFile(plugins), "path: DIR/out", "path: DIR/out, format: orc", 1), "destination audit: "},
		"data directory that cannot be": {strings.Replace(head, "data_dir: DIR/data", "data_dir: DIR/sluice.yaml", 1), "sluice.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			err := s.app(tt.yaml).Start(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			// What it had started is gone: the same directory can be used at once.
			run(t, s.app(head))
		})
	}
}

func TestDataDirectoryHasOneOwner(t *testing.T) {
	s := newSite(t)
	run(t, s.app(head))
	err := s.app(head).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "is in use by another sluice (pid ") || !strings.Contains(err.Error(), "choose another data_dir") {
		t.Errorf("got %v", err)
	}
}

// Webhooks are sent three times only: without Temporal they are accepted and wait.
func TestWebhooksAreAcceptedWithoutTemporal(t *testing.T) {
	s := newSite(t)
	a := s.app(strings.Replace(toFile(buildFile(t)), "temporal: {embedded: {listen: \"127.0.0.1:0\", ui: \"127.0.0.1:0\"}}", `temporal: {address: "127.0.0.1:1"}`, 1))
	stop := run(t, a)
	s.post(a, "one")
	c := admin.NewClient(a.Admin().String(), "")
	status, err := c.Status(t.Context())
	if err != nil || status.Backlog.Events != 1 {
		t.Errorf("backlog %+v, %v", status.Backlog, err)
	}
	ready, err := c.Ready(t.Context())
	if err != nil || ready.Status != admin.StatusDegraded {
		t.Errorf("ready: %+v, %v", ready, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
