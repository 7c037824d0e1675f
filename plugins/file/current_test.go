package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"pgregory.net/rapid"
)

func TestCurrentStateFile(t *testing.T) {
	for name, tt := range map[string]struct {
		settings map[string]any
		file     string
		want     string
	}{
		"jsonl": {
			map[string]any{}, "invoices.jsonl",
			`{"_company_id":"4711","_integration_type":"XERO","_platform_id":"1","_version":2,"_occurred_at":"2026-03-01T23:30:00Z","_version_":"mine","amount":1.50,"memo":null}` + "\n",
		},
		"soft delete": {
			map[string]any{"delete": "soft"}, "invoices.jsonl",
			`{"_company_id":"4711","_integration_type":"XERO","_platform_id":"1","_version":2,"_occurred_at":"2026-03-01T23:30:00Z","_version_":"mine","amount":1.50,"memo":null}` + "\n" +
				`{"_company_id":"4711","_integration_type":"XERO","_platform_id":"2","_version":2,"_deleted_at":"2026-03-01T23:30:00Z","_occurred_at":"2026-03-01T23:30:00Z","tax":[1.10]}` + "\n",
		},
		"csv": {
			map[string]any{"format": "csv"}, "invoices.csv",
			"_company_id,_integration_type,_platform_id,_version,_occurred_at,_version_,amount,memo\n" +
				"4711,XERO,1,2,2026-03-01T23:30:00Z,mine,1.50,\n",
		},
		"csv, soft delete": {
			map[string]any{"format": "csv", "delete": "soft"}, "invoices.csv",
			"_company_id,_integration_type,_platform_id,_version,_deleted_at,_occurred_at,_version_,amount,memo,tax\n" +
				"4711,XERO,1,2,,2026-03-01T23:30:00Z,mine,1.50,,\n" +
				"4711,XERO,2,2,2026-03-01T23:30:00Z,2026-03-01T23:30:00Z,,,,[1.10]\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tt.settings["path"], tt.settings["state"] = dir, "current"
			d := open(t, tt.settings)
			write(t, d, records(upsert("2", 1, `{"tax":1}`), upsert("1", 2, `{"amount":1.50,"memo":null,"_version":"mine"}`)))
			write(t, d, records(remove("2", 2, `{"tax":[1.10]}`), upsert("1", 1, `{"amount":9}`)))
			for range 2 {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if got := read(t, dir, tt.file); got != tt.want {
					t.Errorf("got\n%swant\n%s", got, tt.want)
				}
				d = open(t, tt.settings) // the guard survives a restart, for deleted records too
				write(t, d, records(upsert("2", 1, `{"tax":1}`), upsert("1", 1, `{}`)))
			}
		})
	}
}

func TestFileIsRewrittenSoonAfterAWrite(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir, "state": "current", "refresh": "10ms"})
	write(t, d, records(upsert("1", 1, `{}`)))
	waitFor(t, filepath.Join(dir, "invoices.jsonl"))
}

func TestFileOfAKilledProcessIsRewritten(t *testing.T) {
	dir := t.TempDir()
	settings := map[string]any{"path": dir, "state": "current", "refresh": "10ms"}
	d := open(t, map[string]any{"path": dir, "state": "current", "refresh": "1h"})
	write(t, d, records(upsert("1", 1, `{}`)))
	journal := read(t, dir, sideFolder, "invoices.jsonl.journal")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"invoices.jsonl", sideFolder + "/invoices.jsonl.snapshot"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, sideFolder, "invoices.jsonl.journal"), []byte(journal), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, settings)
	waitFor(t, filepath.Join(dir, "invoices.jsonl"))
}

func waitFor(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if _, err := os.Stat(file); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestJournalIsCompacted(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir, "state": "current", "refresh": "1h"})
	memo := strings.Repeat("m", 200_000)
	for v := range int64(12) {
		write(t, d, records(upsert("1", v+1, fmt.Sprintf(`{"memo":%q}`, memo))))
	}
	for name, limit := range map[string]int64{"journal": 2 * minCompact, "snapshot": 300_000} {
		info, err := os.Stat(filepath.Join(dir, sideFolder, "invoices.jsonl."+name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > limit {
			t.Errorf("the %s has %d bytes", name, info.Size())
		}
	}
}

func TestChangesOfACurrentStateGoToALogBesideIt(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir, "state": "current", "layout": "{company_id}/{object}.jsonl"})
	write(t, d, records(upsert("1", 1, `{}`)))
	write(t, d, changes(change("1", 1, `{}`), change("1", 2, `{}`)))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := readLines(t, dir, "4711", "invoices.log.jsonl"); len(got) != 2 {
		t.Errorf("%d lines in the log", len(got))
	}
	if got := readLines(t, dir, "4711", "invoices.jsonl"); len(got) != 1 {
		t.Errorf("%d rows", len(got))
	}
}

// Invariant 2: any permutation, duplication and batching of the same writes,
// with restarts in between, ends in the same file.
func TestAnyOrderEndsInTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []destination.Record
		for _, id := range []string{"1", "2", "é", "4"} {
			for v := range rapid.Int64Range(0, 4).Draw(t, "versions") {
				fields := rapid.SampledFrom([]string{`{}`, `{"a":1.50}`, `{"a":null,"b":[1,{"c":0.10}]}`, `{"b":"x"}`}).Draw(t, "fields")
				r := upsert(id, v+1, fields)
				if rapid.Bool().Draw(t, "delete") {
					r = remove(id, v+1, fields)
				}
				all = append(all, r)
			}
		}
		if len(all) == 0 {
			return
		}
		settings := map[string]any{
			"state": "current", "refresh": "1h",
			"format": rapid.SampledFrom([]string{"jsonl", "csv"}).Draw(t, "format"),
			"delete": rapid.SampledFrom([]string{"hard", "soft"}).Draw(t, "delete mode"),
		}
		want := stateOf(t, settings, [][]destination.Record{all}, false)

		shuffled := append([]destination.Record(nil), all...)
		for range rapid.IntRange(0, 4).Draw(t, "duplicates") {
			shuffled = append(shuffled, rapid.SampledFrom(all).Draw(t, "duplicate"))
		}
		rng := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed")))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		var batches [][]destination.Record
		for len(shuffled) > 0 {
			n := rapid.IntRange(1, len(shuffled)).Draw(t, "batch")
			batches, shuffled = append(batches, shuffled[:n]), shuffled[n:]
		}
		if got := stateOf(t, settings, batches, rapid.Bool().Draw(t, "restarts")); got != want {
			t.Fatalf("got\n%swant\n%s", got, want)
		}
	})
}

func stateOf(t *rapid.T, settings map[string]any, batches [][]destination.Record, restarts bool) string {
	dir, err := os.MkdirTemp("", "sluice-file-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	settings["path"] = dir
	raw, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	d := newFiles()
	if err := d.Configure(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	for _, rs := range batches {
		results, err := d.Write(t.Context(), records(rs...))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Kind != destination.Delivered {
				t.Fatalf("%v %s: %s", r.Kind, r.Code, r.Message)
			}
		}
		if !restarts {
			continue
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		d = newFiles()
		if err := d.Configure(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "invoices.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
