//go:build !race

package bench_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/bench"
	"github.com/sluicehq/sluice/internal/harness"
)

// The whole program, small: each scenario checks what arrived. The processes that
// it runs are not built for the race detector, so it has nothing to find there.
func TestQuickRun(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join("..", "..")
	sluice, err := harness.Build(t.Context(), root, dir)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sluice-bench")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/sluice-bench")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "results.json")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("sluice-bench %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	table := run("--quick", "--sluice", sluice, "--root", root, "--json", file, "--plots", filepath.Join(dir, "plots"))
	results, err := bench.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	figures := make(map[string]float64)
	var ran []string
	for _, r := range results.Scenarios {
		ran = append(ran, r.Scenario)
		for _, m := range r.Metrics {
			figures[r.Scenario+" "+m.Group+" "+m.Name] = m.Value
			if m.Target != nil {
				t.Errorf("a quick run judges %s %s", r.Scenario, m.Name)
			}
		}
	}
	if strings.Join(ran, ",") != strings.Join(bench.Names(), ",") {
		t.Errorf("ran %v, want %v", ran, bench.Names())
	}
	for _, name := range []string{
		"accept 32 connections alone acknowledged", "accept 32 connections alone baseline", "accept 256 connections alone p99",
		"accept 32 connections while delivering acknowledged",
		"rates 10/s delivered", "rates 200/s p99", "rates 200/s workflows", "rates 200/s Temporal state transitions",
		"rates 200/s Temporal history events", "burst  visible", "burst  connections",
		"sustained 1 record per message connections",
		"noop  recognised", "memory with embedded Temporal sluice", "growth  ledger before retention",
		"growth  Temporal before its retention", "growth  destination (PostgreSQL)",
	} {
		if figures[name] <= 0 {
			t.Errorf("%s is %v", name, figures[name])
		}
	}
	// On a busy machine nothing may arrive in the short time of a quick run.
	for _, name := range []string{"sustained 1 record per message visible", "sustained 100 records per message visible", "isolation alone visible"} {
		if _, ok := figures[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if before, after := figures["growth  ledger before retention"], figures["growth  ledger after retention"]; after >= before {
		t.Errorf("retention freed nothing: %v, then %v bytes per event", before, after)
	}
	if !strings.Contains(table, "visible") || !strings.Contains(table, "cores") {
		t.Errorf("no table:\n%s", table)
	}
	for _, name := range []string{"accept", "latency", "burst"} {
		if _, err := os.Stat(filepath.Join(dir, "plots", name+".svg")); err != nil {
			t.Error(err)
		}
	}

	if out, err := exec.Command(program, "--run", "nothing").CombinedOutput(); err == nil || !strings.Contains(string(out), "known are accept") {
		t.Errorf("an unknown scenario: %v\n%s", err, out)
	}
}
