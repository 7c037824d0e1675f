package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// Who corrects the settings of a destination need not wait for the next probe.
func TestChangedSettingsEndAPause(t *testing.T) {
	answering := func(status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	refusing, failing, well := answering(http.StatusForbidden), answering(http.StatusInternalServerError), answering(http.StatusNoContent)
	plugins := filepath.Dir(hosttest.Build(t, "../../plugins/webhook", "webhook"))
	yaml := func(first, second string) string {
		const webhook = "  %s: {plugin: webhook, max_batch: 2, config: {url: %q, allow_networks: [127.0.0.0/8]}}\n"
		return head + fmt.Sprintf("plugin_dirs: [%q]\ndestinations:\n", plugins) + fmt.Sprintf(webhook, "refusing", first) + fmt.Sprintf(webhook, "failing", second) +
			fmt.Sprintf(webhook, "stopped", well) + "routes: [{name: all, mode: changes, to: [refusing, failing, stopped]}]\n"
	}
	s := newSite(t)
	a := s.reloadable(yaml(refusing, failing))
	defer run(t, a)()
	c := admin.NewClient(a.Admin().String(), "")
	if _, err := c.ActOnDestination(t.Context(), "stopped", "pause"); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		s.post(a, fmt.Sprint("e", n))
	}
	reason := func(name string) string {
		if p := s.destinations(a)[name].Pause; p != nil {
			return p.Reason
		}
		return ""
	}
	s.until("both are paused", func() bool {
		return reason("refusing") == ledger.PauseMisconfigured && reason("failing") == ledger.PauseDown
	})
	s.write(yaml(well, well+"/other"))
	if out, err := c.Reload(t.Context()); err != nil || !out.Applied {
		t.Fatalf("%+v, %v", out, err)
	}
	if reason("refusing") != "" || reason("failing") != "" || reason("stopped") != ledger.PauseOperator {
		t.Errorf("paused after the change: %q, %q, %q", reason("refusing"), reason("failing"), reason("stopped"))
	}
	s.until("what waited is delivered", func() bool {
		d := s.destinations(a)
		return d["refusing"].Delivered == 20 && d["failing"].Delivered == 20 && d["failing"].Dead == 0
	})
}
