package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// Two Sluices get the same webhooks at the same time. One has a healthy
// destination alone; the other has the same beside one that hangs, one whose
// plugin dies with every write, and one that asks to wait for a minute. At each
// moment the healthy one has at least nine tenths there of what it has alone: the
// machine, however busy, is the same for both.
func TestHealthyDestinationBesideOthers(t *testing.T) {
	const events, every = 600, 30
	hangs := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	t.Cleanup(hanging.Close)
	var asked atomic.Int64
	throttling := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(throttling.Close)
	t.Cleanup(func() { close(hangs) })

	dirs := fmt.Sprintf("plugin_dirs: [%q, %q, %q]\n", buildFile(t),
		filepath.Dir(hosttest.Build(t, "../../plugins/webhook", "webhook")),
		filepath.Dir(hosttest.Build(t, "./testdata/crashing", "crashing")))
	const healthy = "destinations:\n  healthy: {plugin: file, config: {path: DIR/out}}\n"
	webhook := "  %s: {plugin: webhook, timeout: 50s, config: {url: %q, timeout: 45s, allow_networks: [127.0.0.0/8]}}\n"

	alone, beside := newSite(t), newSite(t)
	a := alone.app(head + dirs + healthy + "routes: [{name: all, mode: changes, to: [healthy]}]\n")
	b := beside.app(head + dirs + healthy + fmt.Sprintf(webhook, "hanging", hanging.URL) + fmt.Sprintf(webhook, "throttled", throttling.URL) +
		"  crashing: {plugin: crashing}\n" +
		"routes: [{name: all, mode: changes, to: [healthy, hanging, throttled, crashing]}]\n")
	defer run(t, a)()
	defer run(t, b)()
	arrived := func(s *site, of *app.App) int64 { return s.destinations(of)["healthy"].Delivered }
	// What needs time to start has it before anything is compared.
	alone.post(a, "first")
	beside.post(b, "first")
	alone.until("the first event is there", func() bool { return arrived(alone, a) == 1 })
	beside.until("the first event is there", func() bool { return arrived(beside, b) == 1 })

	var sumAlone, sumBeside int64
	look := func() (n int64) {
		n = arrived(alone, a)
		sumAlone += n
		sumBeside += arrived(beside, b)
		return n
	}
	for n := range events {
		id := fmt.Sprint("e", n)
		// The first to go changes, so that none is always ahead.
		if n%2 == 0 {
			alone.post(a, id)
			beside.post(b, id)
		} else {
			beside.post(b, id)
			alone.post(a, id)
		}
		if n%every == every-1 {
			look()
		}
	}
	alone.until("all is there that is sent alone", func() bool { return look() == events+1 })
	if atEnd := arrived(beside, b); 10*atEnd < 9*(events+1) {
		t.Errorf("%d events are there beside others, of %d alone", atEnd, events+1)
	}
	if 10*sumBeside < 9*sumAlone {
		t.Errorf("beside others %d were there at the moments when it were %d alone", sumBeside, sumAlone)
	}
	t.Logf("there over all moments: %d alone, %d beside others", sumAlone, sumBeside)

	states := beside.destinations(b)
	for _, name := range []string{"hanging", "crashing", "throttled"} {
		if d := states[name]; d.Delivered > 0 || d.Dead > 0 || d.Waiting != events+1 {
			t.Errorf("%s has %d, %d wait and %d are dead: it was to be of no use", name, d.Delivered, d.Waiting, d.Dead)
		}
	}
	if p := states["throttled"].Pause; p == nil || p.Reason != ledger.PauseThrottled {
		t.Errorf("the throttled one is paused for %+v", p)
	}
	if p := states["crashing"]; p.Process.Restarts == 0 && (p.Pause == nil || p.Pause.Reason != ledger.PauseDown && p.Pause.Reason != ledger.PauseRestarting) {
		t.Errorf("the crashing one did not crash: %+v", p)
	}
	beside.until("the healthy one has all", func() bool { return arrived(beside, b) == events+1 })
}
