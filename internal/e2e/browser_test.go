package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// An operator has the id of an event, and looks in the Temporal UI for what
// became of it.
func TestBrowser(t *testing.T) {
	t.Parallel()
	picky := newDoor()
	picky.open.Store(true)
	picky.refuse.Store(new("invoices/event-wanted-2"))
	w := newTrio(t)
	s := newServer(t, setup{rest: fmt.Sprintf(`dispatch: {max_events_per_workflow: 1}
destinations:
  audit:
    plugin: file
    config: {path: %q}
  crm:
    plugin: webhook
    config: {url: %q, allow_networks: [127.0.0.0/8]}
routes:
  - name: both
    to: [audit, crm]
`, w.audit(), receive(t, picky.answer))})
	s.ready()
	for _, id := range []string{"event-before", "event-wanted", "event-after"} {
		s.accept(fmt.Sprintf(`{"rootfi_id": %q, "created_at": "2026-01-02T03:04:05.678Z", "company_id": 4711, "integration_type": "XERO",
			"data_model": "INVOICES", "type": "CREATE", "webhook_type": "DATA_MODEL_CHANGES", "no_of_records": 3,
			"data": [{"platform_id": "%[1]s-1", "total_amount": 1.10}, {"platform_id": "%[1]s-2"}, {"platform_id": "%[1]s-3"}]}`, id))
	}
	status := s.drained()
	const wanted = "rootfi:INVOICES:4711:event-wanted"

	ctx := openBrowser(t)
	list := status.Links.TemporalUI + "/namespaces/" + status.Links.Namespace + "/workflows?query=" +
		url.QueryEscape(`SluiceEventIds = "event-wanted"`)
	if err := chromedp.Do(ctx, chromedp.Navigate(list)); err != nil {
		t.Fatalf("open %s: %v", list, err)
	}
	// What is indexed a moment later shows after the next look.
	var links []string
	eventually(t, time.Minute, "the list to show the workflow", func() bool {
		var err error
		links, err = chromedp.Run(ctx, chromedp.Evaluate[[]string](`Array.from(document.querySelectorAll("table a[href*='/workflows/']")).map(a => a.textContent.trim()).filter(x => x.startsWith("rootfi:"))`))
		if err != nil {
			t.Fatal(err)
		}
		return len(links) > 0
	})
	if links = slices.Compact(links); !slices.Equal(links, []string{wanted}) {
		t.Fatalf("the list filtered by the event's id shows %q, want only %q", links, wanted)
	}
	screenshot(t, ctx, "list")
	await := []chromedp.PollOption{chromedp.WithPollingInterval(50 * time.Millisecond), chromedp.WithPollingTimeout(2 * time.Minute)}
	if err := chromedp.Do(ctx, chromedp.Click(`table a[href*="event-wanted"]`)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector("[data-testid=user-metadata-tab]") != null && document.body.innerText.includes(`+strconv.Quote(wanted)+`)`, await...)); err != nil {
		t.Fatalf("the page of the workflow: %v", err)
	}
	screenshot(t, ctx, "workflow")
	if err := chromedp.Do(ctx, chromedp.Click(`[data-testid=user-metadata-tab]`)); err != nil {
		t.Fatal(err)
	}
	// The details are Markdown, rendered into a frame of the same origin.
	rows, err := chromedp.Run(ctx, chromedp.Poll[[][]string](`(() => {
		const page = document.querySelector("#user-metadata-current-details")?.contentDocument;
		const rows = Array.from(page?.querySelectorAll("tr") ?? []);
		return rows.length > 0 && rows.map(r => Array.from(r.cells).map(c => c.textContent));
	})()`, await...))
	if err != nil {
		t.Fatalf("the details show no table: %v", err)
	}
	screenshot(t, ctx, "details")
	want := [][]string{
		{"destination", "delivered", "waiting", "dead"},
		{"audit", "3", "0", "0"},
		{"crm", "2", "0", "1"},
	}
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("the details are %q, want %q", rows, want)
	}
}

func openBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("chromium: %v: run make test, which installs it (Debian: apt-get install chromium)", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx,
		chromedp.Headless, chromedp.NoFirstRun, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1400, 1000),
		chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// screenshot keeps what the browser shows, for those who ask for it.
func screenshot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("SLUICE_E2E_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
