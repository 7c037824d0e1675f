package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// Invariant 1, with a real process: whatever was acknowledged before a SIGKILL
// is there, every line is whole, and the writes that follow add each line once.
func TestKilledProcess(t *testing.T) {
	binary := hosttest.Build(t, ".", "file")
	for _, state := range []string{"log", "current"} {
		t.Run(state, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			settings := fmt.Sprintf(`{"path":%q,"state":%q,"refresh":"1ms"}`, dir, state)
			acknowledged := int64(0)
			for life := range 3 {
				p := hosttest.Open(t, binary)
				if err := p.Configure(t.Context(), []byte(settings)); err != nil {
					t.Fatal(err)
				}
				killer := time.AfterFunc(time.Duration(100+life*37)*time.Millisecond, func() {
					if err := syscall.Kill(p.PID(), syscall.SIGKILL); err != nil {
						t.Error(err)
					}
				})
				for v := acknowledged; ; v += 10 {
					b := records()
					for i := range int64(10) {
						b.Records = append(b.Records, upsert(fmt.Sprint(v+i+1), 1, `{"memo":"`+strings.Repeat("m", 500)+`"}`))
					}
					if _, err := p.Write(t.Context(), b); err != nil {
						break
					}
					acknowledged = v + 10
				}
				killer.Stop()
				_ = p.Close()
			}
			d := open(t, map[string]any{"path": dir, "state": state})
			write(t, d, records(upsert("1", 1, `{}`))) // known: adds nothing
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, l := range readLines(t, dir, "invoices.jsonl") {
				_, rest, _ := strings.Cut(l, `"_platform_id":"`)
				id, _, _ := strings.Cut(rest, `"`)
				if got[id]++; got[id] > 1 || !strings.HasSuffix(l, "}") {
					t.Errorf("record %q: %d lines", id, got[id])
				}
			}
			for i := range acknowledged {
				if got[fmt.Sprint(i+1)] != 1 {
					t.Errorf("record %d of %d is missing", i+1, acknowledged)
				}
			}
			t.Logf("%d acknowledged, %d there", acknowledged, len(got))
		})
	}
}
