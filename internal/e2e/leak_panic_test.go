package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// A plugin that panics with the record it was given, within a call and outside of
// it, and one that is refused in its words: what it says stays in the ledger.
func TestPanicsOfAPluginDoNotLeak(t *testing.T) {
	t.Parallel()
	plugin := hosttest.Build(t, "./testdata/rude", "rude")
	s := newServer(t, setup{level: "debug", rest: fmt.Sprintf(`plugin_dirs: [%q, %q]
destinations:
  called: {plugin: rude, config: {token: %q}, env: {RUDE_SECRET: %q}, retry: {initial_interval: 50ms, max_interval: 500ms}}
  died: {plugin: rude, config: {token: %q}, env: {RUDE_SECRET: %q}, retry: {initial_interval: 50ms, max_interval: 500ms}}
  refused: {plugin: rude, config: {token: %q}, env: {RUDE_SECRET: %q}}
routes:
  - {name: called, models: [BILLS], to: [called]}
  - {name: died, models: [INVOICES], to: [died]}
  - {name: refused, models: [CONTACTS], to: [refused]}
`, filepath.Dir(plugin), filepath.Join(filepath.Dir(binary(t)), "plugins"), bearerSecret, envSecret, bearerSecret, envSecret, bearerSecret, envSecret)})
	s.ready()
	for model, note := range map[string]string{"BILLS": "panic in the call", "INVOICES": "panic elsewhere", "CONTACTS": "refuse"} {
		s.accept(fmt.Sprintf(`{"rootfi_id": "rude-%s", "created_at": "2026-01-02T03:04:05Z", "company_id": 4711, "integration_type": "XERO",
			"data_model": %q, "type": "CREATE", "webhook_type": "DATA_MODEL_CHANGES", "no_of_records": 1,
			"data": [{"platform_id": "R1", "note": "%s %s", "balance": %s}]}`, model, model, note, contents, amount))
	}
	s.wait("fail in every way", func() bool {
		d := s.destinations()
		return d["refused"].Dead == 1 && d["called"].Waiting == 1 && d["died"].Waiting == 1 &&
			d["died"].Process != nil && d["died"].Process.Restarts > 0 && d["called"].Process != nil && d["called"].Process.Restarts == 0
	})
	status, err := s.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clean(t, "a history or description", dumpTemporal(t, status.Links.Temporal), "rude-BILLS")
	clean(t, "the metrics", httpGet(t, "http://"+s.admin+"/metrics"), "sluice_")
	s.stop()
	log := readAll(t, s.Log)
	clean(t, "the log", log, "panic in write: main.record")
	clean(t, "the log", log, "panic: (what it says is not logged")
	clean(t, "the log", log, "rude/main.go") // the stack, to find the mistake by
	clean(t, "Temporal's files", readAll(t, filepath.Join(s.process.DataDir, "temporal*.db*")), "rude-BILLS")
}

// cleanOfSecrets is for what operators see: contents of records are theirs to see,
// secrets are not.
func cleanOfSecrets(t *testing.T, s *server) {
	t.Helper()
	for path, control := range map[string]string{
		"/healthz":                       "ok",
		"/readyz":                        "ledger",
		"/api/v1/status":                 "CONTACTS",
		"/api/v1/destinations":           "forbidding",
		"/api/v1/dead-letters?limit=100": "refusing",
		"/api/v1/events?limit=100":       "leak-first",
		"/api/v1/records?platform_id=C2": "C2",
	} {
		lacks(t, path, httpGet(t, "http://"+s.admin+path), control, secretMarks)
	}
	// What a profile shows are stacks, never what is in memory.
	for path, control := range map[string]string{
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=2": "goroutine", "/debug/pprof/heap?debug=1": "heap profile",
	} {
		lacks(t, path, httpGet(t, "http://"+s.admin+path), control, marks)
	}
	lacks(t, "sluice config show", []byte(s.run("config", "show")), "***", secretMarks)
}
