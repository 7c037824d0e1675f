package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// message is what the tests read of what the webhook plugin sends.
type message struct {
	ID      string            `json:"id"`
	Object  string            `json:"object"`
	Key     map[string]string `json:"key"`
	Version int64             `json:"version"`
}

func (m message) key() string { return m.Object + "/" + m.Key["_platform_id"] }

// identity is the whole key of the record.
func (m message) identity() string { return fmt.Sprint(m.Object, m.Key) }

// messages reads a request of the webhook plugin, which carries one or many.
func messages(body []byte) []message {
	var many []message
	if json.Unmarshal(body, &many) == nil {
		return many
	}
	var one message
	if json.Unmarshal(body, &one) != nil || one.ID == "" {
		return nil
	}
	return []message{one}
}

// door is an endpoint that fails until it is opened, and refuses one record.
type door struct {
	open   atomic.Bool
	refuse atomic.Pointer[string]

	mu  sync.Mutex
	got map[string]bool
}

func newDoor() *door { return &door{got: make(map[string]bool)} }

func (d *door) answer(w http.ResponseWriter, _ *http.Request, body []byte) {
	if !d.open.Load() {
		http.Error(w, "closed", http.StatusBadGateway)
		return
	}
	refuse := d.refuse.Load()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range messages(body) {
		if refuse != nil && m.key() == *refuse {
			http.Error(w, "not this one", http.StatusUnprocessableEntity)
			return
		}
		d.got[m.key()] = true
	}
}

func (d *door) has(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got[key]
}

func (d *door) records() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.got)
}

// receive serves webhooks until the end of the test.
func receive(t *testing.T, handle func(http.ResponseWriter, *http.Request, []byte)) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender is gone
		}
		handle(w, r, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func remove(t *testing.T, pattern string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing matches %s: %v", pattern, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".lock") {
			continue
		}
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}
