package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
)

// FuzzCrash stops an append at any byte, with or without zeros in place of the
// rest, as a power failure leaves them. What was acknowledged must be there,
// no line may be torn, and the repeated write must leave each line once.
func FuzzCrash(f *testing.F) {
	for _, cut := range []uint{0, 1, 50, 300, 301, 700, 5000} {
		for _, format := range []bool{false, true} {
			for _, zeros := range []bool{false, true} {
				f.Add(cut, zeros, format, uint8(3), "a \"quoted\", text\n")
			}
		}
	}
	f.Fuzz(func(t *testing.T, cut uint, zeros, csv bool, n uint8, text string) {
		format := "jsonl"
		if csv {
			format = "csv"
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "invoices."+format)
		value, err := json.Marshal(map[string]string{"memo": text})
		if err != nil {
			t.Fatal(err)
		}
		acknowledged := changes(change("1", 1, string(value)), change("2"+text, 2, string(value)))
		last := changes()
		for i := range int64(n%8) + 1 {
			last.Records = append(last.Records, change(fmt.Sprint("9", text, i), 10+i, string(value)))
		}
		settings := map[string]any{"path": dir, "format": format}
		d := open(t, settings)
		write(t, d, acknowledged)
		before := read(t, file)
		write(t, d, last)
		whole := read(t, file)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}

		// The crash: any part of what the last write added.
		at := len(before) + int(cut%uint(len(whole)-len(before)+1))
		torn := whole[:at]
		if zeros {
			torn += strings.Repeat("\x00", len(whole)-at)
		}
		if err := os.WriteFile(file, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}

		d = open(t, settings)
		write(t, d, changes()) // nothing to write must be harmless
		write(t, d, changes(acknowledged.Records[0]))
		if got := read(t, file); !strings.HasPrefix(got, before) || !strings.HasPrefix(whole, got) || !strings.HasSuffix(got, "\n") {
			t.Fatalf("after the crash at %d of %d: %q", at, len(whole), got)
		}
		write(t, d, last)
		if got := read(t, file); got != whole {
			t.Fatalf("after the repeated write:\ngot  %q\nwant %q", got, whole)
		}
	})
}

// FuzzCrashOfCurrent does the same to the journal of a current state.
func FuzzCrashOfCurrent(f *testing.F) {
	for _, cut := range []uint{0, 1, 50, 300, 700} {
		f.Add(cut, true, "x")
		f.Add(cut, false, "\x00\"")
	}
	f.Fuzz(func(t *testing.T, cut uint, zeros bool, text string) {
		dir := t.TempDir()
		journal := filepath.Join(dir, sideFolder, "invoices.jsonl.journal")
		value, err := json.Marshal(map[string]string{"memo": text})
		if err != nil {
			t.Fatal(err)
		}
		settings := map[string]any{"path": dir, "state": "current", "refresh": "1h"}
		acknowledged := records(upsert("1", 1, string(value)), upsert("2"+text, 1, string(value)))
		last := records(upsert("1", 2, `{"memo":null}`), remove("2"+text, 2, `{}`), upsert("3", 1, `{}`))
		d := open(t, settings)
		write(t, d, acknowledged)
		before := read(t, journal)
		write(t, d, last)
		whole := read(t, journal)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		want := read(t, dir, "invoices.jsonl")

		at := len(before) + int(cut%uint(len(whole)-len(before)+1))
		torn := whole[:at]
		if zeros {
			torn += strings.Repeat("\x00", len(whole)-at)
		}
		// Neither file nor snapshot were rewritten before the crash.
		for _, name := range []string{"invoices.jsonl", sideFolder + "/invoices.jsonl.snapshot"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(journal, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		d = open(t, settings)
		write(t, d, acknowledged) // repeated: must not bring anything back
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if got := len(readLines(t, dir, "invoices.jsonl")); got < 1 || got > 3 {
			t.Fatalf("%d rows", got)
		}
		d = open(t, settings)
		write(t, d, last)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if got := read(t, dir, "invoices.jsonl"); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

func TestWholeLineWithoutBreakIsKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "invoices.jsonl")
	if err := os.WriteFile(file, []byte(`{"mine":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, open(t, map[string]any{"path": dir}), records(upsert("1", 1, `{}`)))
	if got := readLines(t, file); len(got) != 2 || got[0] != `{"mine":1}` {
		t.Errorf("got %q", got)
	}
}

func TestOnlyTheEndOfALargeLogIsRead(t *testing.T) {
	dir := t.TempDir()
	c := jsonl{}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	l, err := openLog(root, "x.jsonl", c, 2000)
	if err != nil {
		t.Fatal(err)
	}
	b := changes()
	for i := range int64(100) {
		b.Records = append(b.Records, change("1", i, `{"a":1}`))
	}
	places := make([]int, 100)
	for i := range places {
		places[i] = i
	}
	if err := l.write(&b, places, make([]destination.Result, 100)); err != nil {
		t.Fatal(err)
	}
	size := l.lines.size
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if l, err = openLog(root, "x.jsonl", c, 2000); err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if l.lines.size != size || len(l.index.versions) == 0 || len(l.index.versions) > 10 {
		t.Errorf("size %d, want %d; %d lines in the index", l.lines.size, size, len(l.index.versions))
	}
}
