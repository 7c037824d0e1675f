package host_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
)

func TestReplaceEndsTheOldOneFirstAndLosesNoCall(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	closed := filepath.Join(t.TempDir(), "closed")
	h := mustStart(t, host.Options{Logger: log.logger()}, host.Spec{Settings: []byte(`{"closed":"` + closed + `"}`), Env: map[string]string{"LIFE": "1"}})
	pid := h.Status()[0].PID

	ctx, cancel := context.WithCancel(t.Context())
	old := make(chan error, 1)
	go func() {
		_, err := h.Write(ctx, "d", batch("wait", 1))
		old <- err
	}()
	eventually(t, "call", log.has("begun"))
	replaced := make(chan error, 1)
	go func() {
		replaced <- h.Replace(t.Context(), host.Spec{Destination: "d", Plugin: "test", Env: map[string]string{"LIFE": "2"}})
	}()
	eventually(t, "change", func() bool { return h.Status()[0].State == host.StateStarting })
	waiting := make(chan string, 10)
	for range cap(waiting) {
		go func() {
			got, err := h.Write(t.Context(), "d", batch("env", 1))
			if err != nil {
				t.Errorf("write during the change: %v", err)
				waiting <- ""
				return
			}
			waiting <- got[0].Message
		}()
	}
	select {
	case err := <-replaced:
		t.Fatalf("replaced during a call: %v", err)
	case <-waiting:
		t.Fatal("a call went to the old process, or to the new one beside it")
	default:
	}
	cancel()
	if err := <-old; !errors.Is(err, context.Canceled) {
		t.Errorf("the call under way: %v", err)
	}
	if err := <-replaced; err != nil {
		t.Fatal(err)
	}
	for range cap(waiting) {
		if env := <-waiting; !strings.Contains(env, "LIFE=2") {
			t.Error("a call did not go to the new process")
		}
	}
	if b, _ := os.ReadFile(closed); string(b) != "closed" || alive(pid) {
		t.Error("the old process was not ended")
	}
	if got := h.Status(); len(got) != 1 || got[0].PID == pid || got[0].State != host.StateRunning {
		t.Errorf("status %+v", got)
	}
}

func TestReplaceByWhatIsNotThereTouchesNothing(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{})
	pid := h.Status()[0].PID
	err := h.Replace(t.Context(), host.Spec{Destination: "d", Plugin: "nothing"})
	if _, ok := errors.AsType[*host.NotFoundError](err); !ok {
		t.Errorf("got %v", err)
	}
	if _, err := h.Write(t.Context(), "d", batch("invoices", 1)); err != nil || h.Status()[0].PID != pid {
		t.Errorf("write: %v, status %+v", err, h.Status())
	}
}

func TestReplaceStartsWhatWasNotThere(t *testing.T) {
	t.Parallel()
	h := mustStart(t, host.Options{}, host.Spec{})
	if err := h.Replace(t.Context(), host.Spec{Destination: "e", Plugin: "test"}); err != nil {
		t.Fatal(err)
	}
	got, err := h.Write(t.Context(), "e", batch("invoices", 1))
	if err != nil || got[0].Kind != destination.Delivered {
		t.Errorf("%+v, %v", got, err)
	}
}
