package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

func TestLogLine(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir})
	r := upsert("INV_1", 3, `{"amount":1234567890.12345678901234567890,"memo":"<a & b>\n\u0000","lines":[ {"id": 1} ],"gone":null}`)
	r.Changed = []string{"amount"}
	write(t, d, records(r))
	got := read(t, dir, "invoices.jsonl")
	want := `{"object":"invoices","key":{"_company_id":"4711","_integration_type":"XERO","_platform_id":"INV_1"},"operation":"upsert","version":3,` +
		`"fields":{"amount":1234567890.12345678901234567890,"gone":null,"lines":[{"id":1}],"memo":"<a & b>\n\u0000"},"changed":["amount"],` +
		`"idempotency_key":"INV_1@3","occurred_at":"2026-03-01T23:30:00Z","source":"rootfi","company_id":"4711","integration":"XERO","model":"INVOICES","platform_id":"INV_1"}` + "\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

func TestRepeatedAndOlderWritesAddNothing(t *testing.T) {
	for _, format := range []string{"jsonl", "csv"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "invoices."+format)
			batches := []destination.Batch{
				records(upsert("1", 2, `{"a":1}`), upsert("2", 1, `{"a":"x, \"y\""}`), upsert("1", 2, `{"a":1}`)),
				records(upsert("1", 1, `{"a":0}`)),
				changes(change("1", 7, `{"a":1}`), change("1", 7, `{"a":1}`), change("1", 8, `{"a":2}`)),
				records(remove("2", 2, `{"a":1}`)),
				{Mode: destination.ModeEvents, Object: "invoices", Records: []destination.Record{
					{Operation: destination.Append, Version: 9, IdempotencyKey: "e\n9\xff\u0085", OccurredAt: day}}},
			}
			header := 0
			if format == "csv" {
				header = 1
			}
			for range 3 { // the second and third process read the index back from the file
				d := open(t, map[string]any{"path": dir, "format": format})
				for _, b := range batches {
					write(t, d, b)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if got := readLines(t, file); len(got) != 6+header {
					t.Fatalf("%d lines, want %d:\n%s", len(got), 6+header, strings.Join(got, "\n"))
				}
			}
		})
	}
}

func TestCSVLogReadsBack(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir, "format": "csv"})
	write(t, d, records(upsert("a,\"b\"\nc", 1, `{"amount":0.10000000000000000001,"memo":"x\ny;\"z\""}`)))
	rows, err := csv.NewReader(strings.NewReader(read(t, dir, "invoices.csv"))).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if got, want := rows[1][4], `{"amount":0.10000000000000000001,"memo":"x\ny;\"z\""}`; got != want {
		t.Errorf("fields %s, want %s", got, want)
	}
	if got, want := rows[1][1], `{"_company_id":"4711","_integration_type":"XERO","_platform_id":"a,\"b\"\nc"}`; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
}

func TestOneBadRecordIsRejectedAlone(t *testing.T) {
	for _, state := range []string{"log", "current"} {
		t.Run(state, func(t *testing.T) {
			d := open(t, map[string]any{"path": t.TempDir(), "state": state})
			bad := upsert("2", 1, `{}`)
			bad.Fields["secret"] = []byte(`{"a":`)
			short := upsert("3", 1, `{}`)
			short.Key = short.Key[:1]
			results, err := d.Write(t.Context(), records(upsert("1", 1, `{"a":1}`), bad, short, change("4", 1, `{}`), upsert("5", 1, `{}`)))
			if err != nil {
				t.Fatal(err)
			}
			want := []destination.ResultKind{destination.Delivered, destination.Rejected, destination.Rejected, destination.Rejected, destination.Delivered}
			for i, r := range results {
				if r.Kind != want[i] {
					t.Errorf("record %d: %v %s, want %v", i, r.Kind, r.Message, want[i])
				}
			}
		})
	}
}

func TestLayouts(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir, "layout": "{source}/{company_id}/{object}-{integration}/{date}T{hour}.jsonl"})
	r := upsert("1", 1, `{}`)
	r.Origin.CompanyID, r.Origin.Integration = "../../etc", "A/B\\C\x00 é"
	write(t, d, records(r))
	if _, err := os.Stat(filepath.Join(dir, "rootfi", "%2E.%2F..%2Fetc", "invoices-A%2FB%5CC%00%20%C3%A9", "2026-03-01T23.jsonl")); err != nil {
		t.Error(err)
	}
	long := upsert("2", 1, `{}`)
	long.Origin.CompanyID = strings.Repeat("x", 5000)
	write(t, d, records(long))
	empty := upsert("3", 1, `{}`)
	empty.Origin.CompanyID = ""
	write(t, d, records(empty))
}

func TestReplacedFilesAreNoticed(t *testing.T) {
	for name, replace := range map[string]func(dir, file string) error{
		"file removed":      func(_, file string) error { return os.Remove(file) },
		"file moved away":   func(_, file string) error { return os.Rename(file, file+".1") },
		"file emptied":      func(_, file string) error { return os.Truncate(file, 0) },
		"directory removed": func(dir, _ string) error { return os.RemoveAll(dir) },
		"directory moved":   func(dir, _ string) error { return os.Rename(dir, dir+".old") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			file := filepath.Join(dir, "invoices.jsonl")
			d := open(t, map[string]any{"path": dir})
			write(t, d, records(upsert("1", 1, `{}`)))
			if err := replace(dir, file); err != nil {
				t.Fatal(err)
			}
			write(t, d, records(upsert("2", 1, `{}`)))
			if got := readLines(t, file); len(got) != 1 || !strings.Contains(got[0], `"_platform_id":"2"`) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestFewFilesStayOpen(t *testing.T) {
	dir := t.TempDir()
	d := open(t, map[string]any{"path": dir, "layout": "{company_id}/{object}.jsonl", "open_files": 3})
	var rs []destination.Record
	for i := range 40 {
		r := upsert("1", 1, `{}`)
		r.Origin.CompanyID = fmt.Sprint(i)
		rs = append(rs, r)
	}
	for range 2 {
		write(t, d, records(rs...))
	}
	if n := len(d.store.slots); n > 3+parallel {
		t.Errorf("%d files are open", n)
	}
	for i := range 40 {
		if got := readLines(t, dir, fmt.Sprint(i), "invoices.jsonl"); len(got) != 1 {
			t.Errorf("company %d: %d lines", i, len(got))
		}
	}
}

func TestForeignFileIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "invoices.csv")
	if err := os.WriteFile(file, []byte("my,own\n1,2"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, map[string]any{"path": dir, "format": "csv"})
	results, err := d.Write(t.Context(), records(upsert("1", 1, `{}`)))
	if err != nil || results[0].Kind != destination.Misconfigured {
		t.Errorf("%v, %v", results, err)
	}
	if got := read(t, file); got != "my,own\n1,2" {
		t.Errorf("the file is now %q", got)
	}
}

// flaky is a file whose disk fills up or fails.
type flaky struct {
	handle
	room  int // bytes until ENOSPC; -1 = no end
	fsync error
}

func (f *flaky) Write(p []byte) (int, error) {
	if f.room < 0 || len(p) <= f.room {
		return f.handle.Write(p)
	}
	n, err := f.handle.Write(p[:f.room])
	if err != nil {
		return n, err
	}
	return n, syscall.ENOSPC
}

func (f *flaky) Sync() error {
	err := f.fsync
	f.fsync = nil
	if err != nil {
		return err
	}
	return f.handle.Sync()
}

func TestDiskFullLeavesNoTornLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "invoices.jsonl")
	d := open(t, map[string]any{"path": dir})
	write(t, d, records(upsert("1", 1, `{}`)))
	before := read(t, file)
	var disk *flaky
	d.store.each(func(_ string, t target) {
		disk = &flaky{handle: t.(*changeLog).lines.f, room: -1}
		t.(*changeLog).lines.f = disk
	})

	for name, breakIt := range map[string]func(){
		"full":         func() { disk.room = 100 },
		"fsync failed": func() { disk.room, disk.fsync = -1, syscall.EIO },
	} {
		breakIt()
		results, err := d.Write(t.Context(), records(upsert("2", 1, `{"a":1}`), upsert("3", 1, `{"a":1}`)))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"full": "ENOSPC", "fsync failed": "EIO"}[name]
		for _, r := range results {
			if r.Kind != destination.Retry || r.Code != want {
				t.Errorf("%s: %v %s: %s", name, r.Kind, r.Code, r.Message)
			}
		}
		if got := read(t, file); got != before {
			t.Errorf("%s: the file is now %q", name, got)
		}
	}
	disk.room = -1
	write(t, d, records(upsert("2", 1, `{"a":1}`), upsert("3", 1, `{"a":1}`)))
	if got := readLines(t, file); len(got) != 3 {
		t.Errorf("%d lines", len(got))
	}
}

func TestIndexIsBounded(t *testing.T) {
	x := newIndex(1000)
	for i := range 10_000 {
		x.add(int64(i*10), identity{byte(i), byte(i >> 8)}, 1)
		x.forget(int64(i * 10))
	}
	if len(x.versions) > 102 || len(x.queue) > 4096 {
		t.Errorf("%d versions, %d in the queue", len(x.versions), len(x.queue))
	}
	if !x.has(identity{byte(9999 & 0xff), byte(9999 >> 8)}, 1, false) {
		t.Error("the last line is forgotten")
	}
}
