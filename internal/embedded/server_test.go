//go:build !slim

package embedded

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// quietLog drops what the SDK of the tests says.
var quietLog = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))

func start(t *testing.T, o Options) *Server {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func dial(t *testing.T, s *Server) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: s.Address(), Namespace: s.Namespace(), Logger: quietLog})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(c.Close)
	return c
}

func greet(_ workflow.Context, name string) (string, error) { return "hello " + name, nil }

// work runs a worker with the given workflows until the end of the test.
func work(t *testing.T, c client.Client, queue string, register func(worker.Worker)) worker.Worker {
	t.Helper()
	w := worker.New(c, queue, worker.Options{})
	register(w)
	if err := w.Start(); err != nil {
		t.Fatalf("worker: %v", err)
	}
	t.Cleanup(w.Stop)
	return w
}

func TestStartServesAndStops(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: t.TempDir(), UI: "127.0.0.1:0", Namespace: "books"})
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	if s.Namespace() != "books" {
		t.Errorf("namespace = %q, want books", s.Namespace())
	}
	c := dial(t, s)
	w := work(t, c, "q", func(w worker.Worker) { w.RegisterWorkflow(greet) })
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "w1", TaskQueue: "q"}, greet, "you")
	if err != nil {
		t.Fatalf("start workflow: %v", err)
	}
	var got string
	if err := run.Get(t.Context(), &got); err != nil || got != "hello you" {
		t.Fatalf("result = %q, %v, want %q", got, err, "hello you")
	}
	w.Stop()
	c.Close()

	begun := time.Now()
	stop(t, s)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("stop took %s", took)
	}
	stop(t, s)
	if err := s.Ready(t.Context()); err == nil {
		t.Error("ready after stop: no error")
	}
	for _, address := range []string{s.Address(), strings.TrimPrefix(s.UIURL(), "http://")} {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			t.Errorf("%s still listens after stop", address)
		}
	}
}

func TestSecondServerOnTheSameDirIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, Options{Dir: dir})
	_, err := Start(t.Context(), Options{Dir: dir, Listen: "127.0.0.1:0"})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second start: %v, want ErrInUse with the directory", err)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	busy := taken.Addr().String()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		options Options
		want    string
	}{
		"no directory":        {Options{Listen: "127.0.0.1:0"}, "data directory"},
		"directory is a file": {Options{Dir: file, Listen: "127.0.0.1:0"}, "data directory"},
		"no address":          {Options{Dir: t.TempDir()}, `temporal.embedded.listen: "" is not host:port`},
		"bad port":            {Options{Dir: t.TempDir(), Listen: "127.0.0.1:http"}, "has no port"},
		"bad ui":              {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", UI: "8233"}, "temporal.embedded.ui"},
		"short retention":     {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Retention: time.Minute}, "temporal.embedded.retention"},
		"port in use":         {Options{Dir: t.TempDir(), Listen: busy}, "temporal.embedded.listen: " + busy + " is in use: choose another or port 0"},
		"ui port in use":      {Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", UI: busy}, "temporal.embedded.ui: " + busy + " is in use: choose another or port 0"},
		"foreign address":     {Options{Dir: t.TempDir(), Listen: "192.0.2.1:0"}, "temporal.embedded.listen: 192.0.2.1:0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Start(t.Context(), tt.options)
			if err == nil {
				stop(t, s)
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want it to contain %q", err, tt.want)
			}
			if tt.options.Dir != "" && tt.options.Dir != file {
				// The directory must be free again.
				lock, err := lockDir(tt.options.Dir)
				if err != nil {
					t.Fatalf("lock after a failed start: %v", err)
				}
				_ = lock.Close()
			}
		})
	}
}

func TestRestartKeepsHistoriesAndAdaptsNamespace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, Options{Dir: dir, Retention: 48 * time.Hour})
	c := dial(t, first)
	w := work(t, c, "q", func(w worker.Worker) { w.RegisterWorkflow(greet) })
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "q"}, greet, "you")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Get(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := retention(t, first); got != 48*time.Hour {
		t.Errorf("retention = %s, want 48h", got)
	}
	w.Stop()
	c.Close()
	stop(t, first)

	second := start(t, Options{Dir: dir, Retention: 96 * time.Hour})
	if got := retention(t, second); got != 96*time.Hour {
		t.Errorf("retention after the change = %s, want 96h", got)
	}
	var got string
	if err := dial(t, second).GetWorkflow(t.Context(), "kept", run.GetRunID()).Get(t.Context(), &got); err != nil || got != "hello you" {
		t.Errorf("result after restart = %q, %v, want %q", got, err, "hello you")
	}
}

func retention(t *testing.T, s *Server) time.Duration {
	t.Helper()
	got, err := workflowservice.NewWorkflowServiceClient(s.conn).DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: s.Namespace()})
	if err != nil {
		t.Fatalf("describe namespace: %v", err)
	}
	return got.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration()
}

func TestUI(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: t.TempDir(), UI: "127.0.0.1:0"})
	tests := map[string]struct {
		path string
		want string
	}{
		"app":        {"/", "<!doctype html>"},
		"app route":  {"/namespaces/default/workflows", "<!doctype html>"},
		"settings":   {"/api/v1/settings", `"DefaultNamespace":"default"`},
		"no notices": {"/api/v1/releases", `"Releases":{}`},
		"namespace":  {"/api/v1/namespaces/default", `"name":"default"`},
		"health":     {"/healthz", "OK"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			res, err := http.Get(s.UIURL() + tt.path)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			compact := strings.ToLower(strings.NewReplacer(" ", "", "\n", "").Replace(string(body)))
			want := strings.ToLower(strings.ReplaceAll(tt.want, " ", ""))
			if res.StatusCode != http.StatusOK || !strings.Contains(compact, want) {
				t.Errorf("GET %s = %s, body without %q: %.300s", tt.path, res.Status, tt.want, body)
			}
		})
	}
}
