package plugintypescript

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// The project's own checks: types, and tests of its parts.
func TestProject(t *testing.T) {
	run(t, "npm", "test", "--silent")
}

// The protocol that the plugin is generated from is a copy.
func TestProtocolIsCurrent(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("..", "..", "plugins", "destination", "destinationpb", "destination.proto"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("proto", "destination.proto"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("proto/destination.proto differs from plugins/destination/destinationpb: copy it and run npm run generate")
	}
}

func numbered(writer, version int) destination.Batch {
	b := destination.Batch{Mode: destination.ModeRecords, Object: "invoices", KeyFields: []string{"_platform_id"}}
	for i := range 20 {
		b.Records = append(b.Records, destination.Record{
			Key: []string{fmt.Sprintf("%d-%d", writer, i)}, Operation: destination.Upsert, Version: int64(version),
			Fields: map[string]json.RawMessage{"n": json.RawMessage(fmt.Sprint(version)), "memo": json.RawMessage(`"` + strings.Repeat("x", 2000) + `"`)},
		})
	}
	return b
}

// What was answered is there after a crash at any moment, and the next process
// takes over.
func TestKilledWhileWriting(t *testing.T) {
	binary := build(t)
	settings := harness{}.Settings(t)
	const writers = 3
	acknowledged := make([]int, writers) // versions
	for life := range 4 {
		p := hosttest.Open(t, binary)
		if err := p.Configure(t.Context(), settings); err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		rows := map[string]string{}
		for _, row := range (harness{}).Rows(t, settings, "invoices") {
			rows[row["_platform_id"]] = row["n"]
		}
		for w, version := range acknowledged {
			var n int
			if version > 0 {
				if _, err := fmt.Sscan(rows[fmt.Sprintf("%d-19", w)], &n); err != nil || n < version {
					t.Errorf("life %d: writer %d has version %d, %d was answered: %v", life, w, n, version, err)
				}
			}
			acknowledged[w] = max(version, n) // what was written without an answer counts
		}
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for version := acknowledged[w] + 1; ; version++ {
					if results, err := p.Write(t.Context(), numbered(w, version)); err != nil || results[0].Kind != destination.Delivered {
						return
					}
					if acknowledged[w] = version; w == 0 && version%7 == life {
						_ = syscall.Kill(p.PID(), syscall.SIGKILL) // it is gone: the next write says so
					}
				}
			})
		}
		wg.Wait()
		p.Client.Close(context.Background())
	}
}

// Levels and attributes arrive in the host's log, secrets and records do not.
func TestLog(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := host.Open(t.Context(), build(t), host.OpenOptions{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	settings := harness{}.Settings(t)
	if err := c.Configure(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	var s struct{ Path string }
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.Path, s.Path+".old"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(t.Context(), numbered(0, 1)); err != nil {
		t.Fatal(err)
	}
	c.Close(t.Context())
	if cause := c.Cause(); cause == nil || cause.Error() != "exit status 0" {
		t.Errorf("the process ended by %v", cause)
	}
	for _, want := range []string{
		`"level":"DEBUG","msg":"plugin serves","name":"journal"`,
		`"level":"WARN","msg":"the journal was moved away`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, text.String())
		}
	}
	for _, secret := range []string{signingKey, "xxxx"} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(s.Path), "*.lock")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
