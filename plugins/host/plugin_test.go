package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-plugin"
	"github.com/sluicehq/sluice/internal/leaktest"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/internal/wire"
	"google.golang.org/grpc"
)

// TestMain lets the test binary be a plugin, a plugin of another time, or a host
// that is going to be killed.
func TestMain(m *testing.M) {
	handshake := wire.Handshake()
	switch {
	case os.Getenv("TEST_ROLE") == "future":
		plugin.Serve(&plugin.ServeConfig{
			HandshakeConfig:  handshake,
			VersionedPlugins: map[int]plugin.PluginSet{7: wire.Plugins(&testPlugin{})[1]},
			GRPCServer:       func(o []grpc.ServerOption) *grpc.Server { return grpc.NewServer(o...) },
		})
	case os.Getenv("TEST_ROLE") == "host":
		hostToBeKilled()
	case os.Getenv(handshake.MagicCookieKey) == handshake.MagicCookieValue:
		serve.Main(&testPlugin{})
	default:
		leaktest.Main(m)
	}
}

// hostToBeKilled starts destinations, prints their process ids, and waits.
func hostToBeKilled() {
	ctx := context.Background()
	h := host.New(host.Options{Dirs: []string{os.Getenv("TEST_DIR")}})
	for _, name := range []string{"idle", "busy"} {
		if err := h.Start(ctx, host.Spec{Destination: name, Plugin: "test"}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	busy := make(chan struct{})
	go func() {
		close(busy)
		_, _ = h.Write(ctx, "busy", batch("stubborn", 1))
	}()
	<-busy
	for _, s := range h.Status() {
		fmt.Println(s.PID)
	}
	fmt.Println("ready")
	signal.Ignore(syscall.SIGTERM)
	select {}
}

// testPlugin does what its settings and the object of a batch say.
type testPlugin struct{ settings testSettings }

type testSettings struct {
	Refuse bool   `json:"refuse,omitempty"`
	Once   string `json:"once,omitempty"` // a file: die while it is missing
	Closed string `json:"closed,omitempty"`
}

func (p *testPlugin) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "test", Version: "1.2.3", MaxBatchRecords: 50,
		Capabilities: []destination.Capability{destination.CapabilityCheck, destination.CapabilityRecords},
	}, nil
}

func (p *testPlugin) Configure(_ context.Context, settings json.RawMessage) error {
	s, err := serve.Decode[testSettings](settings)
	if err != nil {
		return err
	}
	p.settings = s
	if s.Refuse {
		return errors.New("the password is wrong")
	}
	if s.Once != "" {
		if _, err := os.Stat(s.Once); err != nil {
			os.Exit(8)
		}
	}
	return nil
}

func (p *testPlugin) Check(context.Context) error {
	return &destination.Failure{Kind: destination.Misconfigured, Code: "28P01", Err: errors.New("no access")}
}

func (p *testPlugin) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	message := ""
	switch b.Object {
	case "crash":
		os.Exit(3)
	case "family":
		child := exec.Command("sleep", "1000")
		child.Stdout, child.Stderr = realStdout, os.NewFile(2, "stderr")
		if err := child.Start(); err != nil {
			return nil, err
		}
		_ = os.WriteFile(p.settings.Closed, []byte(fmt.Sprint(child.Process.Pid)), 0o600)
		os.Exit(3)
	case "killed":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "panic":
		panic("secret")
	case "short":
		return []destination.Result{{Kind: destination.Delivered}}, nil
	case "wait":
		slog.Info("begun")
		<-ctx.Done()
		return nil, ctx.Err()
	case "stubborn":
		slog.Info("begun")
		select {}
	case "hoard":
		hoard := make([]byte, 2<<30)
		for i := 0; i < len(hoard); i += 4096 {
			hoard[i] = 1
		}
		message = fmt.Sprint(len(hoard))
	case "files":
		n := 0
		for ; n < 500; n++ {
			f, err := os.Open(os.DevNull)
			if err != nil {
				break
			}
			defer f.Close()
		}
		message = fmt.Sprint(n)
	case "handles":
		entries, _ := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			target, _ := os.Readlink("/proc/self/fd/" + e.Name())
			message += e.Name() + " " + target + "\n"
		}
	case "env":
		message = strings.Join(os.Environ(), "\n")
	case "dir":
		message, _ = os.Getwd()
	case "log":
		slog.Warn("quota is low", "left", 3)
		slog.Debug("detail")
		fmt.Fprintln(os.Stderr, "plain words")
		fmt.Println("printed words")
	case "throttled":
		return nil, fmt.Errorf("write: %w", &destination.Failure{Kind: destination.Throttled, Code: "RATE", Until: until, Err: errors.New("slow down")})
	}
	results := make([]destination.Result, len(b.Records))
	for i := range results {
		results[i] = destination.Result{Kind: destination.Delivered, Message: message, ExternalID: b.Records[i].Key[0]}
	}
	return results, nil
}

func (p *testPlugin) Close() error {
	if p.settings.Closed == "" {
		return nil
	}
	return os.WriteFile(p.settings.Closed, []byte("closed"), 0o600)
}

// realStdout is what os.Stdout was before go-plugin replaced it.
var realStdout = os.Stdout

var until = time.Date(2040, 1, 2, 3, 4, 5, 6000, time.UTC)

func batch(object string, n int) destination.Batch {
	b := destination.Batch{Mode: destination.ModeRecords, Object: object, KeyFields: []string{"id"}}
	for i := range n {
		b.Records = append(b.Records, destination.Record{
			Key: []string{fmt.Sprint("k", i)}, Operation: destination.Upsert, Version: 1,
			Fields: map[string]json.RawMessage{"id": json.RawMessage(fmt.Sprint(i))},
		})
	}
	return b
}

// pluginDir returns a directory that holds the test binary as plugin "test".
func pluginDir(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Built under a umask of 002 it would be refused.
	if err := os.Chmod(self, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, host.Prefix+"test")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// script writes an executable shell script as plugin name into dir.
func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, host.Prefix+name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}
