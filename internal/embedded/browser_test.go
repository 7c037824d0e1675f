//go:build !slim

package embedded

import (
	"context"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// detailed shows a table on its page, and waits.
func detailed(ctx workflow.Context) error {
	workflow.SetCurrentDetails(ctx, "| destination | delivered | waiting | dead |\n| --- | --- | --- | --- |\n| warehouse | 41 | 1 | 0 |\n")
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return nil
}

func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("chromium: %v: install Debian's package chromium", err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.Headless,
		chromedp.NoFirstRun,
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1400, 1400),
		chromedp.WSURLReadTimeout(2 * time.Minute),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func TestBrowserShowsWorkflowAndItsDetails(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Dir: t.TempDir(), UI: "127.0.0.1:0"})
	c := dial(t, s)
	work(t, c, "q", func(w worker.Worker) { w.RegisterWorkflow(detailed) })
	const id = "rootfi:invoices:company 1:ev/42"
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: "q"}, detailed); err != nil {
		t.Fatal(err)
	}

	ctx := browser(t)
	page := s.UIURL() + "/namespaces/" + s.Namespace() + "/workflows/" + url.PathEscape(id)
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatalf("open %s: %v", page, err)
	}
	// The UI finds the run by itself; its tab then has the whole address.
	await := []chromedp.PollOption{chromedp.WithPollingInterval(50 * time.Millisecond), chromedp.WithPollingTimeout(2 * time.Minute)}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.body.innerText.includes(`+strconv.Quote(id)+`)`, await...)); err != nil {
		t.Fatalf("the page of the workflow does not show its id: %v", err)
	}
	tab, err := chromedp.Run(ctx, chromedp.Poll[string](`document.querySelector("[data-testid=user-metadata-tab]")?.href`, await...))
	if err != nil {
		t.Fatalf("the page of the workflow has no tab for its details: %v", err)
	}
	t.Logf("details are at %s", tab)
	if err := chromedp.Do(ctx, chromedp.Navigate(tab)); err != nil {
		t.Fatalf("open %s: %v", tab, err)
	}
	// The details are Markdown, rendered into a frame of the same origin.
	const rows = `(() => {
		const page = document.querySelector("#user-metadata-current-details")?.contentDocument;
		const rows = Array.from(page?.querySelectorAll("tr") ?? []);
		return rows.length > 0 && rows.map(r => Array.from(r.cells).map(c => c.textContent));
	})()`
	got, err := chromedp.Run(ctx, chromedp.Poll[[][]string](rows, await...))
	if err != nil {
		t.Fatalf("the details show no table: %v", err)
	}
	want := [][]string{{"destination", "delivered", "waiting", "dead"}, {"warehouse", "41", "1", "0"}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("details = %q, want %q", got, want)
	}
	// Nothing that the page loads comes from elsewhere.
	loaded, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`performance.getEntriesByType("resource").map(e => e.name)`))
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range loaded {
		if !strings.HasPrefix(from, s.UIURL()) && !strings.HasPrefix(from, "data:") {
			t.Errorf("the page loads %s", from)
		}
	}
}
