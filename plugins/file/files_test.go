package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, problem string }{
		"defaults":             {`{"path":"out"}`, ""},
		"all":                  {`{"path":"/x","format":"csv","state":"current","layout":"{source}/{model}.csv","delete":"soft","refresh":"1m","dedupe_window_mib":16,"open_files":1}`, ""},
		"parquet":              {`{"path":"x","format":"parquet","decimal":"38,9","layout":"{model}/{hour}-{part}.parquet"}`, ""},
		"parquet state":        {`{"path":"x","format":"parquet","state":"current"}`, ""},
		"parquet without part": {`{"path":"x","format":"parquet","layout":"{object}.parquet"}`, "{part}"},
		"part of a state":      {`{"path":"x","format":"parquet","state":"current","layout":"{object}/{part}"}`, "{part}"},
		"part elsewhere":       {`{"path":"x","layout":"{object}/{part}"}`, "{part}"},
		"objects share parts":  {`{"path":"x","format":"parquet","layout":"{part}"}`, "{object}"},
		"decimal":              {`{"path":"x","format":"parquet","decimal":"much"}`, "decimal"},
		"decimal elsewhere":    {`{"path":"x","decimal":"38,9"}`, "decimal"},
		"no path":              {`{}`, "path"},
		"unknown":              {`{"path":"x","dir":"y"}`, "dir"},
		"format":               {`{"path":"x","format":"xml"}`, "format"},
		"traversal":            {`{"path":"x","layout":"../{object}"}`, "layout"},
		"absolute":             {`{"path":"x","layout":"/{object}"}`, "layout"},
		"hidden":               {`{"path":"x","layout":".sluice/{object}"}`, "layout"},
		"unknown placeholder":  {`{"path":"x","layout":"{company}.jsonl"}`, "{company_id}"},
		"open placeholder":     {`{"path":"x","layout":"{object"}`, "placeholder"},
		"stray brace":          {`{"path":"x","layout":"object}"}`, "layout"},
		"rotated state":        {`{"path":"x","state":"current","layout":"{object}/{date}"}`, "{date}"},
		"objects share a file": {`{"path":"x","state":"current","layout":"{source}.jsonl"}`, "{object}"},
		"refresh":              {`{"path":"x","refresh":"soon"}`, "refresh"},
		"window":               {`{"path":"x","dedupe_window_mib":1}`, "dedupe_window_mib"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings([]byte(tt.settings))
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("error %v, want one about %q", err, tt.problem)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	d, err := newFiles().Describe(t.Context())
	if err != nil || d.Name != "file" || !json.Valid(d.ConfigSchema) {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, map[string]any{"path": dir}), open(t, map[string]any{"path": dir})
	write(t, first, records(upsert("1", 1, `{}`)))
	_, err := second.store.ready(t.Context(), 0)
	f, ok := errors.AsType[*destination.Failure](err)
	if !ok || f.Kind != destination.Misconfigured || !errors.Is(err, errLocked) || !strings.Contains(err.Error(), "process ") {
		t.Fatalf("got %v", err)
	}
	if err := second.Check(t.Context()); err != nil {
		t.Errorf("check beside a running writer: %v", err)
	}
	// A predecessor that ends in time is waited for.
	time.AfterFunc(100*time.Millisecond, func() { _ = first.Close() })
	write(t, second, records(upsert("1", 1, `{}`), upsert("2", 1, `{}`)))
	if got := readLines(t, dir, "invoices.jsonl"); len(got) != 2 {
		t.Errorf("%d lines", len(got))
	}
}

func TestWaitingForTheLockCanBeCancelled(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, map[string]any{"path": dir}), open(t, map[string]any{"path": dir})
	write(t, first, records(upsert("1", 1, `{}`)))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := second.Write(ctx, records(upsert("1", 1, `{}`))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestUnusableDirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, map[string]any{"path": filepath.Join(file, "out")})
	_, err := d.Write(t.Context(), records(upsert("1", 1, `{}`)))
	for what, err := range map[string]error{"write": err, "check": d.Check(t.Context())} {
		f, ok := errors.AsType[*destination.Failure](err)
		if !ok || f.Kind != destination.Misconfigured || f.Code != "ENOTDIR" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCancelledWriteAnswersForEachRecord(t *testing.T) {
	d := open(t, map[string]any{"path": t.TempDir()})
	write(t, d, records(upsert("1", 1, `{}`)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results, err := d.Write(ctx, records(upsert("2", 1, `{}`)))
	if err != nil || results[0].Kind != destination.Retry || results[0].Code != "CANCELLED" {
		t.Errorf("%v, %v", results, err)
	}
}

func TestDryRunTouchesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	d := open(t, map[string]any{"path": dir})
	got, err := d.DryRun(t.Context(), records(upsert("1", 1, `{}`), upsert("2", 1, `{}`)))
	if err != nil || len(got) != 1 || got[0] != "invoices.jsonl: append 2 records" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	d := open(b, map[string]any{"path": b.TempDir()})
	batch := changes()
	fields := `{"amount":1234.50,"status":"PAID","memo":"a memo of some length","lines":[{"id":1,"amount":10.00},{"id":2,"amount":20.00}]}`
	version := int64(0)
	for b.Loop() {
		batch.Records = batch.Records[:0]
		for range 1000 {
			version++
			batch.Records = append(batch.Records, change("1", version, fields))
		}
		write(b, d, batch)
	}
}
