package worker_test

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/temporaltest"

	"github.com/sluicehq/sluice/internal/worker"
	"github.com/sluicehq/sluice/workflows"
)

func TestSetup(t *testing.T) {
	server := temporaltest.NewServer(temporaltest.WithT(t))
	c, namespace := server.GetDefaultClient(), server.GetDefaultNamespace()
	want := workflows.SearchAttributes()
	all := slices.Sorted(maps.Keys(want))

	missing, err := worker.Missing(t.Context(), c, namespace, want)
	if err != nil || !slices.Equal(missing, all) {
		t.Fatalf("missing %v, %v, want all", missing, err)
	}
	got, err := worker.Setup(t.Context(), c, namespace, want)
	if err != nil || !slices.Equal(got, all) {
		t.Fatalf("registered %v, %v, want all", got, err)
	}
	// The server's own view is refreshed from time to time.
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if missing, err = worker.Missing(t.Context(), c, namespace, want); err == nil && len(missing) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("missing after set-up: %v, %v", missing, err)
		}
	}
	if got, err = worker.Setup(t.Context(), c, namespace, want); err != nil || len(got) != 0 {
		t.Errorf("registered %v, %v when run again, want nothing", got, err)
	}

	other := maps.Clone(want)
	other[all[0]] = enumspb.INDEXED_VALUE_TYPE_DOUBLE
	if _, err = worker.Setup(t.Context(), c, namespace, other); err == nil || !strings.Contains(err.Error(), all[0]) || !strings.Contains(err.Error(), "another namespace") {
		t.Errorf("an attribute of another type: %v", err)
	}
	if _, err = worker.Setup(t.Context(), c, "nowhere", want); err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("a namespace that is not there: %v", err)
	}
}

func TestDialSaysWhere(t *testing.T) {
	for name, tt := range map[string]struct {
		c    worker.Connection
		want string
	}{
		"nobody there": {worker.Connection{Address: "127.0.0.1:1"}, "connect to temporal at 127.0.0.1:1"},
		"no such file": {worker.Connection{Address: "127.0.0.1:1", TLS: &worker.TLS{CA: "none.pem"}}, "temporal.tls: ca: "},
		"no PEM":       {worker.Connection{Address: "127.0.0.1:1", TLS: &worker.TLS{CA: "setup_test.go"}}, "holds no certificate"},
		"no key":       {worker.Connection{Address: "127.0.0.1:1", TLS: &worker.TLS{Cert: "none.pem"}}, "temporal.tls: cert and key: "},
	} {
		t.Run(name, func(t *testing.T) {
			tt.c.Namespace, tt.c.Logger = "default", slog.New(slog.DiscardHandler)
			c, err := worker.Dial(t.Context(), tt.c)
			if err == nil {
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
