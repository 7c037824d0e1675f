package trial_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/host/trial"
)

func TestProcess(t *testing.T) {
	binary := hosttest.Build(t, "../../../examples/plugin-hello", "hello")
	p, err := trial.Start(t.Context(), binary, host.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p.PID() == 0 {
		t.Error("no process")
	}
	// Every plugin of the SDK has the figures of its process.
	list, err := p.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range list {
		found = found || m.Name == "goroutines" && m.Value > 0
	}
	if !found {
		t.Errorf("metrics %+v", list)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if cause := p.Cause(); cause == nil || !strings.Contains(cause.Error(), "killed") {
		t.Errorf("it ended by %v", cause)
	}
	if err := p.Close(); err != nil {
		t.Errorf("close after a kill: %v", err)
	}
}
