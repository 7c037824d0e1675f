package harness_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/harness"
)

// What is written must be a configuration that Sluice takes, with each part
// where it belongs.
func TestConfiguration(t *testing.T) {
	s, err := harness.New(harness.Options{
		Dir: t.TempDir(), Plugins: "/plugins", Server: "max_in_flight: 7", Ledger: "retention: 2h", Temporal: "address: 'temporal.example:7233'",
		Dispatch: "max_in_flight: 3", LogLevel: "debug", Auth: "basic: {username: u, password: p}",
		Rest: "destinations:\n  audit:\n    plugin: file\n    config: {path: x}\nroutes:\n  - name: all\n    to: [audit]\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Load(s.Config, os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	switch {
	case c.Server.MaxInFlight != 7, c.Ledger.Retention != 2*time.Hour, c.Temporal.Address != "temporal.example:7233",
		c.Dispatch.MaxInFlight != 3, c.Log.Level != "debug", len(c.Sources["rootfi"].Auth.Entries) != 1, c.Sources["rootfi"].Auth.Entries[0].Basic == nil, c.DataDir != s.DataDir,
		c.Destinations["audit"].Plugin != "file", c.Server.Listen != s.Address(), c.Server.Admin != s.Admin,
		len(c.PluginDirs) != 1:
		text, _ := os.ReadFile(s.Config)
		t.Errorf("a part is missing in\n%s", text)
	}
}

func TestWaitSaysWhyAServerEnded(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "sluice")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho the reason\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := harness.New(harness.Options{Sluice: program, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Up(context.Background()); err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("error %v", err)
	}
}
