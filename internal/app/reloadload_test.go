package app_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/endpoint/admin"
)

// Routes change 50 times while webhooks come: none is refused, none is lost, and
// each is delivered as one configuration says, never as a mixture of two.
func TestReloadUnderLoad(t *testing.T) {
	const reloads, senders = 50, 4
	s := newSite(t)
	base := head + `plugin_dirs: ["` + buildFile(t) + `"]` + "\n"
	// Each version has an object and a directory of its own: what is written to
	// the directory d7 must be the object o7.
	version := func(n int) string {
		return base + fmt.Sprintf(`
destinations:
  steady: {plugin: file, config: {path: DIR/steady}}
  moving: {plugin: file, config: {path: DIR/moving/d%[1]d}}
routes:
  - {name: all, mode: changes, object: o%[1]d, to: [steady, moving]}
`, n)
	}
	a := s.reloadable(version(0))
	stop := run(t, a)
	defer stop()
	c := admin.NewClient(a.Admin().String(), "")

	var sent atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				id := fmt.Sprintf("s%d-%d", i, n)
				body := fmt.Sprintf(`{"rootfi_id":%q,"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"integration_type":"XERO",`+
					`"data_model":"BILLS","type":"CREATE","data":[{"platform_id":%q}]}`, id, id)
				res, err := http.Post("http://"+a.Endpoint().String()+"/webhooks/rootfi", "application/json", strings.NewReader(body))
				if err != nil {
					t.Errorf("not answered: %v", err)
					return
				}
				res.Body.Close()
				if res.StatusCode != http.StatusAccepted {
					t.Errorf("answered %s", res.Status)
					return
				}
				sent.Add(1)
			}
		})
	}
	for n := 1; n <= reloads; n++ {
		s.write(version(n))
		if n%10 == 5 { // one that is wrong comes between: it must not count
			s.write(strings.Replace(version(n), "to: [steady, moving]", "to: [steady, nowhere]", 1))
			if out, err := c.Reload(t.Context()); err != nil || out.Error == "" {
				t.Errorf("a wrong configuration: %+v, %v", out, err)
			}
			s.write(version(n))
		}
		out, err := c.Reload(t.Context())
		if err != nil || !out.Applied || fmt.Sprint(out.Changed) != "[moving]" {
			t.Fatalf("reload %d: %+v, %v\n%s", n, out, err, s.log)
		}
	}
	close(done)
	wg.Wait()
	s.until("all is delivered", func() bool {
		d := s.destinations(a)
		return d["steady"].Delivered == sent.Load() && d["moving"].Delivered == sent.Load() && d["steady"].Waiting+d["moving"].Waiting == 0
	})
	if err := stop(); err != nil { // the plugins have written all they have
		t.Error(err)
	}
	for _, name := range []string{"steady", "moving"} {
		ids := s.idsBelow(filepath.Join(s.dir, name), name == "moving")
		if int64(len(ids)) != sent.Load() {
			t.Errorf("%s has %d of %d events", name, len(ids), sent.Load())
		}
	}
	t.Logf("%d events through %d configurations", sent.Load(), reloads+1)
}

// idsBelow reads the ids of all lines below a directory. Where the directory
// moves with the configuration, the object must be of the same one.
func (s *site) idsBelow(dir string, together bool) map[string]bool {
	s.Helper()
	ids := make(map[string]bool)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".jsonl" {
			return err
		}
		if together {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			number := strings.TrimPrefix(strings.Split(filepath.ToSlash(rel), "/")[0], "d")
			if !strings.HasPrefix(filepath.Base(path), "o"+number+".") && !strings.HasPrefix(filepath.Base(path), "o"+number+"-") {
				s.Errorf("%s was written under another configuration", rel)
			}
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			var line map[string]any
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				return err
			}
			id, ok := line["platform_id"].(string)
			if !ok {
				s.Fatalf("a line of %s has no key: %s", path, lines.Bytes())
			}
			ids[id] = true
		}
		return lines.Err()
	})
	if err != nil {
		s.Fatal(err)
	}
	return ids
}
