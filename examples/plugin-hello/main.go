// Command sluice-destination-hello keeps one JSON file per record in a folder: the
// example of docs/plugins.md, small and complete.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

type settings struct {
	Path string `json:"path" jsonschema:"minLength=1,description=Folder for the files."`
}

type hello struct {
	path string
	mu   sync.Mutex // Write is called several times at a time
}

// row is what a file holds.
type row struct {
	Object  string                     `json:"object"`
	Key     []string                   `json:"key"`
	Version int64                      `json:"version"`
	Deleted bool                       `json:"deleted"` // kept, so that an older version does not bring it back
	Fields  map[string]json.RawMessage `json:"fields"`
}

func (*hello) Describe(context.Context) (destination.Description, error) {
	return destination.Description{
		Name: "hello", Version: "1.0.0", ConfigSchema: serve.Schema[settings](), MaxBatchRecords: 100,
		Capabilities: []destination.Capability{destination.CapabilityRecords},
	}, nil
}

func (h *hello) Configure(_ context.Context, raw json.RawMessage) error {
	s, err := serve.Decode[settings](raw)
	if err != nil {
		return err
	}
	h.path = s.Path
	return os.MkdirAll(s.Path, 0o755)
}

func (h *hello) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	results := make([]destination.Result, len(b.Records)) // of kind Retry, until they are more
	for i, r := range b.Records {
		if ctx.Err() != nil {
			break
		}
		results[i] = h.put(b.Object, r)
	}
	return results, nil
}

func (h *hello) put(object string, r destination.Record) destination.Result {
	if r.Operation != destination.Upsert && r.Operation != destination.Delete {
		return destination.Result{Kind: destination.Rejected, Code: "OPERATION", Message: fmt.Sprintf("unknown operation %q", r.Operation)}
	}
	err := h.store(row{Object: object, Key: r.Key, Version: r.Version, Deleted: r.Operation == destination.Delete, Fields: r.Fields})
	switch {
	case errors.Is(err, fs.ErrPermission):
		return destination.Result{Kind: destination.Misconfigured, Code: "PERMISSION", Message: err.Error()}
	case err != nil:
		return destination.Result{Kind: destination.Retry, Code: "IO", Message: err.Error()}
	}
	return destination.Result{Kind: destination.Delivered}
}

// store writes the row unless the file has this version or a newer one.
func (h *hello) store(r row) error {
	key, err := json.Marshal([]any{r.Object, r.Key})
	if err != nil {
		return err
	}
	name := filepath.Join(h.path, fmt.Sprintf("%x.json", sha256.Sum256(key)))
	var have row
	if old, err := os.ReadFile(name); err == nil {
		err = json.Unmarshal(old, &have)
		if err != nil || have.Version >= r.Version {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return replace(name, text)
}

// replace has the file on disk, whole, before it returns.
func replace(name string, text []byte) error {
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = cmp.Or(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func main() { serve.Main(&hello{}) }
