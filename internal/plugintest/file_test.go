package plugintest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "conformance.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestLoad(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":      {"", ""},
		"settings":     {"config: {url: 'http://x/{place}'}\nread: {files: ['{dir}/a']}\n", ""},
		"misspelt":     {"confg: {}\n", "line 1: field confg not found"},
		"two readers":  {"config: {p: '{dir}'}\nread: {files: [a], command: [b]}\n", "exactly one"},
		"no place":     {"config: {url: x}\nread: {files: [a]}\n", "place of its own"},
		"reset":        {"config: {url: x}\nreset: {command: [true]}\nread: {files: [a]}\n", ""},
		"driver":       {"config: {p: '{dir}'}\nread: {sql: {driver: oracle, url: u, queries: [q]}}\n", `not "oracle"`},
		"no end":       {"faults: {hang: {command: [x]}}\n", "none is missing"},
		"two actions":  {"faults: {none: {command: [x], http: {url: u}}}\n", "either command or http"},
		"unknown case": {"lacks: {rocket: no engine}\n", `"rocket"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.text)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "plugintest."):
				t.Errorf("the error names a Go type: %v", err)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Setenv("TOKEN_OF_THE_TEST", "t0ken")
	f, err := load(t, "config: {url: 'http://x/{place}', token: '${TOKEN_OF_THE_TEST}', list: ['{dir}/a'], n: 12345678901234567890}\n")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := f.settings(place{placeholderPlace: "p1", placeholderDir: "/d"}, map[string]any{"more": true})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"list":["/d/a"],"more":true,"n":12345678901234567890,"token":"t0ken","url":"http://x/p1"}`
	if string(raw) != want {
		t.Errorf("got %s, want %s", raw, want)
	}
	f.Config["token"] = "${NO_SUCH_VARIABLE_OF_THE_TEST}"
	if _, err := f.settings(place{}, nil); err == nil || !strings.Contains(err.Error(), "NO_SUCH_VARIABLE_OF_THE_TEST") {
		t.Errorf("a variable that is not set: %v", err)
	}
}

// Each way to read gives the same row.
func TestRows(t *testing.T) {
	const row = `{"key":{"_platform_id":"a"},"body":"{\"memo\":\"m\",\"n\":1.50,\"none\":null}"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/p1/invoices" || r.Header.Get("Authorization") != "Bearer t" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte("[" + row + "]"))
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "invoices.jsonl"), []byte(row+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]string{
		"files":   `{files: ["{dir}/{object}.jsonl", "{dir}/none.jsonl"], unfold: [key, body]}`,
		"command": `{command: [cat, "{dir}/{object}.jsonl"], unfold: [key, body]}`,
		"http":    `{http: {url: "` + server.URL + `/{place}/{object}", headers: {Authorization: Bearer t}}, unfold: [key, body]}`,
		"sql":     `{sql: {driver: sqlite, url: "file::memory:", queries: ["SELECT 'a' AS _platform_id, '{\"memo\":\"m\",\"n\":1.50}' AS body", 'SELECT * FROM "{object}"']}, unfold: [body]}`,
	} {
		t.Run(name, func(t *testing.T) {
			f, err := load(t, "config: {p: '{dir}'}\nread: "+read+"\n")
			if err != nil {
				t.Fatal(err)
			}
			rows, err := f.rows(t.Context(), place{placeholderPlace: "p1", placeholderDir: dir}, "invoices")
			if err != nil || len(rows) != 1 {
				t.Fatalf("%v, %v", rows, err)
			}
			got, _ := json.Marshal(rows[0])
			if want := `{"_platform_id":"a","memo":"m","n":"1.50"}`; string(got) != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// A reader that fails is an error and not an empty destination.
func TestReaderFails(t *testing.T) {
	for name, read := range map[string]string{
		"command": `{command: [sh, -c, "echo lost >&2; exit 3"]}`,
		"no JSON": `{command: [echo, "not JSON"]}`,
		"no row":  `{command: [echo, "5"]}`,
		"sql":     `{sql: {driver: sqlite, url: "file::memory:", queries: [SELEC]}}`,
	} {
		f, err := load(t, "config: {p: '{dir}'}\nread: "+read+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := f.rows(context.Background(), place{}, "invoices"); err == nil || !strings.Contains(err.Error(), "read") {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
	}
}

// FuzzObjects reads whatever a reader prints.
func FuzzObjects(f *testing.F) {
	for _, s := range []string{"", `[{"a":1}]`, `{"a":"b"} {"c":null}`, `[1]`, `{`, `[{"a":{"b":2}}]`} {
		f.Add([]byte(s))
	}
	r := &Read{Unfold: []string{"a"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := objects(text)
		if err != nil {
			return
		}
		rows, err := r.texts(list)
		if err == nil && len(rows) != len(list) {
			t.Errorf("%d rows of %d objects", len(rows), len(list))
		}
	})
}
