package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

// start runs a host with one destination "d" and stops it with the test.
func start(t *testing.T, o host.Options, spec host.Spec) (*host.Host, error) {
	t.Helper()
	if o.Dirs == nil {
		o.Dirs = []string{pluginDir(t)}
	}
	h := host.New(o)
	t.Cleanup(func() {
		if err := h.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	spec.Destination = "d"
	if spec.Plugin == "" {
		spec.Plugin = "test"
	}
	return h, h.Start(t.Context(), spec)
}

func mustStart(t *testing.T, o host.Options, spec host.Spec) *host.Host {
	t.Helper()
	h, err := start(t, o, spec)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// eventually polls: other processes cannot tell us.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within 20s: %s", what)
		}
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{})

	d, err := h.Describe(t.Context(), "d")
	if err != nil || d.Name != "test" || d.Version != "1.2.3" || d.MaxBatchRecords != 50 {
		t.Errorf("describe: %+v, %v", d, err)
	}
	results, err := h.Write(t.Context(), "d", batch("invoices", 3))
	if err != nil || len(results) != 3 || results[2] != (destination.Result{Kind: destination.Delivered, ExternalID: "k2"}) {
		t.Errorf("write: %+v, %v", results, err)
	}
	err = h.Check(t.Context(), "d")
	if f, ok := errors.AsType[*destination.Failure](err); !ok || f.Kind != destination.Misconfigured || f.Code != "28P01" {
		t.Errorf("check: %v", err)
	}
	if _, err := h.DryRun(t.Context(), "d", batch("invoices", 1)); !errors.Is(err, host.ErrNotSupported) {
		t.Errorf("dry run: %v", err)
	}
	if _, err := h.Write(t.Context(), "other", batch("invoices", 1)); !errors.Is(err, host.ErrUnknown) {
		t.Errorf("unknown destination: %v", err)
	}
	_, err = h.Write(t.Context(), "d", batch("throttled", 1))
	if f, ok := errors.AsType[*destination.Failure](err); !ok || f.Kind != destination.Throttled || f.Code != "RATE" || !f.Until.Equal(until) {
		t.Errorf("throttled: %#v", err)
	}
	if _, err := h.Write(t.Context(), "d", batch("short", 2)); err == nil || !strings.Contains(err.Error(), "1 results for 2 records") {
		t.Errorf("short: %v", err)
	}
	_, err = h.Write(t.Context(), "d", batch("panic", 1))
	if f, ok := errors.AsType[*destination.Failure](err); !ok || f.Kind != destination.Retry || f.Code != "PANIC" || strings.Contains(err.Error(), "secret") {
		t.Errorf("panic: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Write(ctx, "d", batch("wait", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cancelled: %v", err)
	}
	if s := h.Status(); len(s) != 1 || s[0].State != host.StateRunning || s[0].PID == 0 || s[0].Version != "1.2.3" || s[0].Restarts != 0 {
		t.Errorf("status: %+v", s)
	}
}

func TestConcurrentWrites(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{})
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			results, err := h.Write(t.Context(), "d", batch("invoices", n+1))
			if err != nil || len(results) != n+1 {
				t.Errorf("%d records: %d results, %v", n+1, len(results), err)
			}
		})
	}
	wg.Wait()
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ settings, want string }{
		"by the plugin": {`{"refuse":true}`, "the password is wrong"},
		"unknown name":  {`{"colour":"red"}`, `unknown setting "colour"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := start(t, host.Options{MinPause: time.Hour, MaxPause: time.Hour}, host.Spec{Settings: json.RawMessage(tt.settings)})
			for range 2 { // Start, and a call in the pause
				f, ok := errors.AsType[*destination.Failure](err)
				if !ok || f.Kind != destination.Misconfigured || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want Misconfigured and %q", err, tt.want)
				}
				_, err = h.Write(t.Context(), "d", batch("invoices", 1))
			}
			if s := h.Status()[0]; s.State != host.StateFailed || !strings.Contains(s.LastError, tt.want) {
				t.Errorf("status: %+v", s)
			}
		})
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	t.Setenv("TEST_HOST_SECRET", "hunter2")
	t.Setenv("HOME", "/home/operator")
	t.Setenv("TZ", "Asia/Kolkata")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := mustStart(t, host.Options{WorkDir: dir}, host.Spec{Env: map[string]string{"TOKEN": "given", "LANG": "xx"}})

	results, err := h.Write(t.Context(), "d", batch("env", 1))
	if err != nil {
		t.Fatal(err)
	}
	env := "\n" + results[0].Message + "\n"
	for _, want := range []string{"\nTOKEN=given\n", "\nLANG=xx\n", "\nTZ=Asia/Kolkata\n", "\nPATH="} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment has no %q", want)
		}
	}
	for _, not := range []string{"hunter2", "HOME="} {
		if strings.Contains(env, not) {
			t.Errorf("the environment has %q", not)
		}
	}
	results, err = h.Write(t.Context(), "d", batch("dir", 1))
	if err != nil || results[0].Message != dir {
		t.Errorf("working directory %q, %v; want %q", results[0].Message, err, dir)
	}
}

func TestBadEnvironment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "A=B", "A\x00"} {
		if _, err := start(t, host.Options{MinPause: time.Hour}, host.Spec{Env: map[string]string{name: "x"}}); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	dir := pluginDir(t)
	found, err := host.Find([]string{dir}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := start(t, host.Options{Dirs: []string{dir}}, host.Spec{SHA256: strings.ToUpper(found.SHA256)}); err != nil {
		t.Errorf("right sum: %v", err)
	}
	h, err := start(t, host.Options{Dirs: []string{dir}}, host.Spec{SHA256: strings.Repeat("0", 64)})
	if e, ok := errors.AsType[*host.ChecksumError](err); !ok || e.Got != found.SHA256 {
		t.Errorf("wrong sum: %v", err)
	}
	if s := h.Status(); len(s) != 0 {
		t.Errorf("a wrong plugin was kept: %+v", s)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ script, want string }{
		"exits":        {"echo no >&2; exit 4", "ended before it was ready (exit status 4)"},
		"other":        {"echo hello; sleep 60", "did not answer as a destination plugin does"},
		"silent":       {"sleep 60", "not ready within 700ms"},
		"future":       {"TEST_ROLE=future exec " + self, "the plugin speaks protocol version 7 and this Sluice [1]"},
		"not-a-binary": {"", "exec format error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := script(t, dir, name, tt.script)
			timeout := 20 * time.Second
			switch name {
			case "silent":
				timeout = 700 * time.Millisecond
			case "not-a-binary":
				if err := os.WriteFile(path, []byte("\x00\x01"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			_, err := start(t, host.Options{Dirs: []string{dir}, MinPause: time.Hour, MaxPause: time.Hour}, host.Spec{Plugin: name, Timeout: timeout})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if _, ok := errors.AsType[*destination.Failure](err); ok {
				t.Errorf("a start that failed is no refusal: %v", err)
			}
		})
	}
}

func TestRemoveDrainsAndCloses(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(t.TempDir(), "closed")
	settings, _ := json.Marshal(map[string]string{"closed": closed})
	var log syncBuffer
	h := mustStart(t, host.Options{Logger: log.logger()}, host.Spec{Settings: settings})
	pid := h.Status()[0].PID

	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan error, 1)
	go func() {
		_, err := h.Write(ctx, "d", batch("wait", 1))
		written <- err
	}()
	eventually(t, "call", log.has("begun"))
	removed := make(chan error, 1)
	go func() { removed <- h.Remove(t.Context(), "d") }()
	eventually(t, "draining", func() bool {
		_, err := h.Write(t.Context(), "d", batch("invoices", 1))
		return err != nil
	})
	select {
	case err := <-removed:
		t.Fatalf("removed during a call: %v", err)
	default:
	}
	cancel()
	if err := <-written; !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if err := <-removed; err != nil {
		t.Errorf("remove: %v", err)
	}
	if b, _ := os.ReadFile(closed); string(b) != "closed" {
		t.Error("the plugin was not closed")
	}
	if alive(pid) {
		t.Error("the process is still there")
	}
	if err := h.Remove(t.Context(), "d"); !errors.Is(err, host.ErrUnknown) {
		t.Errorf("second remove: %v", err)
	}
}

func TestStopCutsOffWhenItMust(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	h := mustStart(t, host.Options{Logger: log.logger()}, host.Spec{})
	pid := h.Status()[0].PID
	written := make(chan error, 1)
	go func() {
		_, err := h.Write(context.Background(), "d", batch("stubborn", 1))
		written <- err
	}()
	eventually(t, "call", log.has("begun"))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := h.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	if err := <-written; err == nil {
		t.Error("the call succeeded")
	}
	if alive(pid) {
		t.Error("the process is still there")
	}
	if err := h.Start(t.Context(), host.Spec{Destination: "e", Plugin: "test"}); err == nil {
		t.Error("started after stop")
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var out syncBuffer
	h := mustStart(t, host.Options{Logger: out.logger()}, host.Spec{})
	if _, err := h.Write(t.Context(), "d", batch("log", 1)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`level=WARN msg="quota is low" destination=d plugin=test left=3`,
		`level=INFO msg="plain words" destination=d plugin=test`,
		`level=INFO msg="printed words" destination=d plugin=test`,
	} {
		eventually(t, want, out.has(want))
	}
	if _, err := h.Write(t.Context(), "d", batch("panic", 1)); err == nil {
		t.Fatal("no error")
	}
	eventually(t, "the stack", out.has("guard.go"))
	for _, not := range []string{"detail", "mTLS", "waiting for RPC"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("the log has %q", not)
		}
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	d, err := host.Inspect(t.Context(), filepath.Join(pluginDir(t), host.Prefix+"test"))
	if err != nil || d.Name != "test" {
		t.Errorf("%+v, %v", d, err)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(s, nil)) }

func (s *syncBuffer) has(text string) func() bool {
	return func() bool { return strings.Contains(s.String(), text) }
}
