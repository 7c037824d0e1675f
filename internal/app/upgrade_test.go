package app_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

const oneRoute = "routes: [{name: all, mode: changes, to: [one]}]\n"

// versioned writes a plugin that is another file for each version. What follows
// the end of a binary does not change what it does.
func versioned(t *testing.T, binary []byte, dir string, version int) {
	t.Helper()
	path := filepath.Join(dir, host.Prefix+"file")
	// Moved into place: a file that runs cannot be written to.
	err := os.WriteFile(path+".new", fmt.Appendf(append([]byte(nil), binary...), "version %d", version), 0o755)
	if err = errors.Join(err, os.Chmod(path+".new", 0o755), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
}

// pluginDir is a directory with a plugin that can be replaced.
func (s *site) pluginDir() (dir string, binary []byte) {
	s.Helper()
	binary, err := os.ReadFile(hosttest.Build(s.T, "../../plugins/file", "file"))
	if err != nil {
		s.Fatal(err)
	}
	dir = s.TempDir()
	versioned(s.T, binary, dir, 0)
	return dir, binary
}

// A plugin is replaced on disk again and again while webhooks come. With each
// reload its process ends what it writes and the new one goes on: nothing is lost,
// and nothing is written twice.
func TestPluginIsUpgradedUnderLoad(t *testing.T) {
	const upgrades, senders = 10, 2
	s := newSite(t)
	dir, binary := s.pluginDir()
	a := s.reloadable(head + `plugin_dirs: ["` + dir + `"]` + "\n" + fileTo("one") + oneRoute)
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
				if !s.send(a, fmt.Sprintf("s%d-%d", i, n)) {
					return
				}
				sent.Add(1)
			}
		})
	}
	pids := map[int]bool{s.destinations(a)["one"].Process.PID: true}
	for n := 1; n <= upgrades; n++ {
		versioned(t, binary, dir, n)
		before := sent.Load()
		out, err := c.Reload(t.Context())
		if err != nil || !out.Applied || fmt.Sprint(out.Changed) != "[one]" {
			t.Fatalf("upgrade %d: %+v, %v\n%s", n, out, err, s.log)
		}
		pids[s.destinations(a)["one"].Process.PID] = true
		s.until("more is sent and delivered", func() bool { return sent.Load() > before && s.destinations(a)["one"].Delivered > before })
	}
	close(done)
	wg.Wait()
	s.until("all is delivered", func() bool {
		d := s.destinations(a)["one"]
		return d.Delivered == sent.Load() && d.Waiting == 0
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(pids) != upgrades+1 {
		t.Errorf("%d processes for %d versions", len(pids), upgrades+1)
	}
	if lines := s.linesBelow(filepath.Join(s.dir, "one")); int64(lines) != sent.Load() {
		t.Errorf("%d lines for %d events", lines, sent.Load())
	}
}

func (s *site) send(a *app.App, id string) bool {
	s.Helper()
	body := fmt.Sprintf(`{"rootfi_id":%q,"webhook_type":"DATA_MODEL_CHANGES","company_id":1,"integration_type":"XERO",`+
		`"data_model":"BILLS","type":"CREATE","data":[{"platform_id":%q}]}`, id, id)
	res, err := http.Post("http://"+a.Endpoint().String()+"/webhooks/rootfi", "application/json", strings.NewReader(body))
	if err != nil {
		s.Errorf("not answered: %v", err)
		return false
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		s.Errorf("answered %s", res.Status)
	}
	return res.StatusCode == http.StatusAccepted
}

func (s *site) linesBelow(dir string) (n int) {
	s.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".jsonl" {
			return err
		}
		b, err := os.ReadFile(path)
		n += strings.Count(string(b), "\n")
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// A plugin that was replaced by a locked one's impostor, or by something that
// does not work, is not taken over; the one that runs goes on, also after a crash.
func TestUpgradeThatIsRefusedChangesNothing(t *testing.T) {
	s := newSite(t)
	dir, binary := s.pluginDir()
	path := filepath.Join(dir, host.Prefix+"file")
	a := s.reloadable(head + `plugin_dirs: ["` + dir + `"]` + "\n" + fileTo("one") + oneRoute)
	stop := run(t, a)
	defer stop()
	c := admin.NewClient(a.Admin().String(), "")
	refused := func(want string) {
		t.Helper()
		out, err := c.Reload(t.Context())
		if err != nil || out.Applied || !strings.Contains(out.Error, want) {
			t.Errorf("%+v, %v, want %q", out, err, want)
		}
	}
	found, err := host.Find([]string{dir}, "file")
	if err != nil {
		t.Fatal(err)
	}
	lock := &host.Lock{Plugins: []host.Locked{{Name: "file", Version: "1", SHA256: found.SHA256}}}
	if err := lock.Write(app.LockPath(filepath.Join(s.dir, "sluice.yaml"))); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Reload(t.Context()); err != nil || out.Applied || out.Error != "" {
		t.Errorf("the locked plugin: %+v, %v", out, err)
	}
	versioned(t, binary, dir, 1)
	refused("is not the locked plugin file 1")
	if err := os.Remove(app.LockPath(filepath.Join(s.dir, "sluice.yaml"))); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".new", []byte("#!/bin/sh\nexit 3\n"), 0o755), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	refused("does not start")
	process, err := os.FindProcess(s.destinations(a)["one"].Process.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.send(a, "after")
	s.until("what runs goes on", func() bool { return s.destinations(a)["one"].Delivered == 1 })
}
