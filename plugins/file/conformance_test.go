package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/destinationtest"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
	"github.com/sluicehq/sluice/plugins/internal/parquetfile/parquettest"
)

// harness reads files as users would: a change log by playing it, the current
// state as it stands.
type harness struct {
	format, state string
	binary        string // "": in process
}

func TestConformance(t *testing.T) {
	report := destinationtest.Record(t, "testdata/conformance.json", "the file system")
	binary := hosttest.Build(t, ".", "file")
	for _, state := range []string{"log", "current"} {
		for _, format := range []string{"jsonl", "csv", "parquet"} {
			t.Run(state+" "+format, func(t *testing.T) {
				t.Parallel()
				report.Run(t, harness{format: format, state: state})
			})
			t.Run(state+" "+format+" as a process", func(t *testing.T) {
				t.Parallel()
				report.Run(t, harness{format: format, state: state, binary: binary})
			})
		}
	}
}

func (h harness) New(t *testing.T) destination.Destination {
	if h.binary != "" {
		return hosttest.Open(t, h.binary)
	}
	return newFiles()
}

func (h harness) Settings(t *testing.T) json.RawMessage {
	raw, err := json.Marshal(map[string]string{
		"path": filepath.Join(t.TempDir(), "out"), "format": h.format, "state": h.state, "refresh": "0s", "delete": "soft",
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h harness) Lacks() map[string]string {
	if h.state == "current" && h.format == "csv" {
		return map[string]string{"empty_text": "a CSV table has one form for null and for an empty text"}
	}
	return nil
}

func (h harness) Rows(t *testing.T, settings json.RawMessage, object string) []map[string]string {
	var s struct {
		Path string `json:"path"`
	}
	if err := json.Unmarshal(settings, &s); err != nil {
		t.Fatal(err)
	}
	if h.format == "parquet" {
		return h.parquetRows(t, s.Path, object)
	}
	read := func(name string) []map[string]json.RawMessage {
		b, err := os.ReadFile(filepath.Join(s.Path, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.format == "csv" {
			return readCSV(t, b)
		}
		return readJSONL(t, b)
	}
	if h.state == "log" {
		return play(t, read(object+"."+h.format))
	}
	var out []map[string]string
	for _, r := range read(object + "." + h.format) {
		out = append(out, texts(r))
	}
	return append(out, play(t, read(object+".log."+h.format))...)
}

// parquetRows reads the state, or the newest row of each key of all parts, and
// one row of each idempotency key.
func (h harness) parquetRows(t *testing.T, dir, object string) []map[string]string {
	var out []map[string]string
	if file, err := os.ReadFile(filepath.Join(dir, object+".parquet")); err == nil {
		out = parquettest.Rows(t, file)
	}
	newest, appended := map[string]map[string]string{}, map[string]map[string]string{}
	for _, folder := range []string{object, object + ".log"} {
		root := os.DirFS(dir)
		files, err := fs.Glob(root, folder+"/*.parquet")
		if err != nil {
			t.Fatal(err)
		}
		dated, err := fs.Glob(root, folder+"/*/*.parquet")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(files, dated...) {
			file, err := fs.ReadFile(root, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range parquettest.Rows(t, file) {
				if row["_version"] == "" {
					appended[row["_idempotency_key"]] = row
					continue
				}
				id := row["_company_id"] + "\x00" + row["_integration_type"] + "\x00" + row["_platform_id"]
				if old := newest[id]; old == nil || versionOf(t, old) < versionOf(t, row) {
					newest[id] = row
				}
			}
		}
	}
	maps.DeleteFunc(newest, func(_ string, row map[string]string) bool { return row["_deleted"] == "true" })
	out = append(out, slices.Collect(maps.Values(newest))...)
	return append(out, slices.Collect(maps.Values(appended))...)
}

func versionOf(t *testing.T, row map[string]string) int64 {
	n, err := strconv.ParseInt(row["_version"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func readJSONL(t *testing.T, b []byte) []map[string]json.RawMessage {
	var out []map[string]json.RawMessage
	for line := range bytes.Lines(b) {
		var r map[string]json.RawMessage
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		out = append(out, r)
	}
	return out
}

func readCSV(t *testing.T, b []byte) []map[string]json.RawMessage {
	rows := parseCSV(t, string(b))
	if len(rows) == 0 {
		return nil
	}
	var out []map[string]json.RawMessage
	for _, cells := range rows[1:] {
		r := map[string]json.RawMessage{}
		for i, name := range rows[0] {
			switch {
			case cells[i] == "":
			case name == "key", name == "fields", name == "version":
				r[name] = json.RawMessage(cells[i])
			default:
				r[name] = appendString(nil, cells[i])
			}
		}
		out = append(out, r)
	}
	return out
}

// parseCSV reads as RFC 4180 says. The reader of encoding/csv would turn \r\n
// within a cell into \n.
func parseCSV(t *testing.T, text string) (rows [][]string) {
	var row []string
	for text != "" {
		var cell string
		if quoted, ok := strings.CutPrefix(text, `"`); ok {
			for {
				piece, rest, ok := strings.Cut(quoted, `"`)
				if !ok {
					t.Fatal("a quoted cell does not end")
				}
				cell += piece
				if quoted, ok = strings.CutPrefix(rest, `"`); !ok {
					text = rest
					break
				}
				cell += `"`
			}
		} else {
			end := strings.IndexAny(text, ",\n")
			cell, text = text[:end], text[end:]
		}
		row = append(row, cell)
		if text[0] == '\n' {
			rows, row = append(rows, row), nil
		}
		text = text[1:]
	}
	return rows
}

// play applies the lines of a change log in their order.
func play(t *testing.T, lines []map[string]json.RawMessage) []map[string]string {
	merged := map[string]map[string]string{}
	var appended []map[string]string
	for _, l := range lines {
		row := map[string]string{}
		for _, part := range []string{"key", "fields"} {
			var members map[string]json.RawMessage
			if err := json.Unmarshal(l[part], &members); err != nil {
				t.Fatalf("%s: %v", part, err)
			}
			maps.Copy(row, texts(members))
		}
		switch cell(l["operation"]) {
		case "append":
			appended = append(appended, row)
		case "delete":
			delete(merged, string(l["key"]))
		default:
			merged[string(l["key"])] = row
		}
	}
	return append(slices.Collect(maps.Values(merged)), appended...)
}

// texts gives every value as text and leaves out null.
func texts(members map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for name, value := range members {
		if string(value) != "null" && strings.TrimSpace(string(value)) != "" {
			out[name] = cell(value)
		}
	}
	return out
}
