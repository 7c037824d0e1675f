package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/endpoint/admin"
	"github.com/sluicehq/sluice/plugins/host/hosttest"
)

// reloadable is app, with a source to reload from.
func (s *site) reloadable(yaml string) *app.App {
	s.Helper()
	s.write(yaml)
	name := filepath.Join(s.dir, "sluice.yaml")
	loader := config.Loader{Env: os.LookupEnv}
	load := func() (*config.File, error) { return loader.Load(name) }
	f, err := load()
	if err != nil {
		s.Fatal(err)
	}
	return app.New(app.Options{
		File: f, Source: app.Source{Load: load, Again: loader.Again},
		Logger: slog.New(slog.NewTextHandler(s.log, nil)), Version: "test",
	})
}

func (s *site) write(yaml string) {
	s.Helper()
	name := filepath.Join(s.dir, "sluice.yaml")
	err := os.WriteFile(name+".new", []byte(strings.ReplaceAll(yaml, "DIR", s.dir)), 0o600)
	if err = errors.Join(err, os.Rename(name+".new", name)); err != nil {
		s.Fatal(err)
	}
}

func (s *site) metric(a *app.App, name string) string {
	s.Helper()
	res, err := http.Get("http://" + a.Admin().String() + "/metrics")
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	return ""
}

// until waits for something that happens by itself.
func (s *site) until(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.Fatalf("never: %s\n%s", what, s.log)
}

func (s *site) destinations(a *app.App) map[string]admin.Destination {
	s.Helper()
	list, err := admin.NewClient(a.Admin().String(), "").Destinations(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	out := make(map[string]admin.Destination)
	for _, d := range list {
		out[d.Destination] = d
	}
	return out
}

func route(name, to string) string {
	return fmt.Sprintf(`routes: [{name: %s, events: ["*"], mode: changes, to: [%s]}]`+"\n", name, to)
}

func fileTo(names ...string) string {
	text := "destinations:\n"
	for _, name := range names {
		text += fmt.Sprintf("  %s: {plugin: file, config: {path: DIR/%s}}\n", name, name)
	}
	return text
}

func TestReloadTakesOverWhatChanged(t *testing.T) {
	s := newSite(t)
	base := head + `plugin_dirs: ["` + buildFile(t) + `"]` + "\n"
	a := s.reloadable(base + fileTo("one", "two") + route("all", "one, two"))
	defer run(t, a)()
	c := admin.NewClient(a.Admin().String(), "")
	s.post(a, "first")
	s.until("delivered to both", func() bool {
		d := s.destinations(a)
		return d["one"].Delivered == 1 && d["two"].Delivered == 1
	})
	before := s.destinations(a)
	first, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	// one changes, two goes, three comes.
	s.write(base + strings.Replace(fileTo("one", "three"), "config: {path: DIR/one}", "config: {path: DIR/one, format: csv}", 1) + route("all", "one, three"))
	out, err := c.Reload(t.Context())
	if err != nil || out.Error != "" || !out.Applied || fmt.Sprint(out.Added, out.Changed, out.Removed) != "[three] [one] [two]" {
		t.Fatalf("%+v, %v\n%s", out, err, s.log)
	}
	s.post(a, "second")
	s.until("delivered to the new ones", func() bool {
		d := s.destinations(a)
		return d["one"].Delivered == 2 && d["three"].Delivered == 1
	})
	after := s.destinations(a)
	if after["one"].Process.PID == before["one"].Process.PID || after["two"].Process != nil || after["two"].Delivered != 1 {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	status, err := c.Status(t.Context())
	if err != nil || status.Config.Revision != out.Revision || status.Config.Revision == first.Config.Revision || !status.Config.LoadedAt.After(first.Config.LoadedAt) {
		t.Errorf("status %+v, %v", status.Config, err)
	}
	records, err := c.Records(t.Context(), map[string]string{"platform_id": "second"})
	if err != nil || len(records) != 1 {
		t.Fatalf("%+v, %v", records, err)
	}

	// Nothing has changed now, and what did not change keeps its process.
	again, err := c.Reload(t.Context())
	if err != nil || again.Applied || again.Error != "" || s.destinations(a)["one"].Process.PID != after["one"].Process.PID {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestReloadThatIsRefusedChangesNothing(t *testing.T) {
	s := newSite(t)
	webhook := filepath.Dir(hosttest.Build(t, "../../plugins/webhook", "webhook"))
	base := head + `plugin_dirs: ["` + buildFile(t) + `", "` + webhook + `"]` + "\n"
	good := base + fileTo("one") + route("all", "one")
	a := s.reloadable(good)
	defer run(t, a)()
	c := admin.NewClient(a.Admin().String(), "")
	s.until("ready", func() bool {
		r, err := c.Ready(t.Context())
		return err == nil && r.Status == admin.StatusReady
	})
	before := s.destinations(a)["one"].Process.PID
	for name, test := range map[string]struct{ yaml, want string }{
		"syntax":         {"routes: [", "YAML"},
		"unknown key":    {good + "colour: red\n", "unknown key"},
		"no such plugin": {base + "destinations: {one: {plugin: nothing}}\n" + route("all", "one"), "no plugin named"},
		"settings":       {strings.Replace(good, "path:", "pth:", 1), "unknown setting of the plugin"},
		"a restart":      {strings.Replace(good, "data_dir: DIR/data", "data_dir: DIR/other", 1), "cannot be changed while Sluice runs"},
		// The schema lets it pass; the plugin itself does not. By then one has been
		// restarted with other settings, and has to go back.
		"refused by the plugin": {
			base + strings.Replace(fileTo("one"), "DIR/one", "DIR/other", 1) +
				"  two: {plugin: webhook, config: {url: \"ftp://example.com\"}}\n" + route("all", "one, two"), "destinations.two",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.write(test.yaml)
			out, err := c.Reload(t.Context())
			if err != nil || out.Applied || !strings.Contains(string(out.Problems), test.want) && !strings.Contains(out.Error, test.want) {
				t.Fatalf("%+v, %v", out, err)
			}
			var problems config.Diagnostics
			if err := json.Unmarshal(out.Problems, &problems); err != nil || len(problems) == 0 || problems[0].Line == 0 {
				t.Errorf("problems %s, %v", out.Problems, err)
			}
			ready, err := c.Ready(t.Context())
			if err != nil || ready.Status != admin.StatusDegraded || !strings.Contains(ready.Parts["config"], "refused: "+out.Error) {
				t.Errorf("readiness %+v, %v", ready, err)
			}
			if got := s.metric(a, "sluice_config_last_reload_successful"); got != "0" {
				t.Errorf("last reload successful: %q", got)
			}
			if !strings.Contains(s.log.String(), "configuration refused") {
				t.Error("the log says nothing")
			}
		})
	}
	s.post(a, "after")
	s.until("delivered as before", func() bool { return s.destinations(a)["one"].Delivered == 1 })
	s.write(good + "# as it was\n")
	out, err := c.Reload(t.Context())
	if err != nil || !out.Applied {
		t.Fatalf("%+v, %v", out, err)
	}
	if ready, err := c.Ready(t.Context()); err != nil || ready.Parts["config"] != "ok" || s.metric(a, "sluice_config_last_reload_successful") != "1" {
		t.Errorf("readiness %+v, %v", ready, err)
	}
	if s.destinations(a)["one"].Process.PID == before {
		t.Error("one was not restarted with the settings that were refused in the end")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "one")); err != nil {
		t.Errorf("one did not go back to its settings: %v", err)
	}
}

func TestReferencedFilesAreReadAgainWhenTheyChange(t *testing.T) {
	s := newSite(t)
	key := filepath.Join(s.dir, "key")
	if err := os.WriteFile(key, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := s.reloadable(strings.Replace(toFile(buildFile(t)), "auth: none", `auth: [{header: {name: key, value: "${file:key}"}}]`, 1))
	defer run(t, a)()
	send := func(value string) int {
		req, err := http.NewRequest(http.MethodPost, "http://"+a.Endpoint().String()+"/webhooks/rootfi", strings.NewReader(`{"x":1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("key", value)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := send("old"); got != http.StatusAccepted {
		t.Fatalf("answered %d", got)
	}
	// A change of the configuration itself is not taken over unasked.
	s.write("broken: [")
	if err := os.WriteFile(key, []byte("new\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.until("the new key counts", func() bool { return send("new") == http.StatusOK })
	if got := send("old"); got != http.StatusUnauthorized {
		t.Errorf("the old key is answered %d", got)
	}
}

func TestWatchTakesOverAMountedDirectory(t *testing.T) {
	s := newSite(t)
	base := head + `plugin_dirs: ["` + buildFile(t) + `"]` + "\nwatch: true\n"
	mount := filepath.Join(s.dir, "mount")
	// As Kubernetes does it: files are links into a directory behind ..data, which
	// is moved as one.
	version := func(n int, files map[string]string) {
		dir := filepath.Join(mount, fmt.Sprintf("..v%d", n))
		err := os.MkdirAll(dir, 0o700)
		for name, text := range files {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "DIR", s.dir)), 0o600))
			if _, there := os.Lstat(filepath.Join(mount, name)); there != nil {
				err = errors.Join(err, os.Symlink(filepath.Join("..data", name), filepath.Join(mount, name)))
			}
		}
		err = errors.Join(err, os.Symlink(filepath.Base(dir), filepath.Join(mount, "..tmp")), os.Rename(filepath.Join(mount, "..tmp"), filepath.Join(mount, "..data")))
		if err != nil {
			t.Fatal(err)
		}
	}
	version(1, map[string]string{"10-base.yaml": base + fileTo("one"), "20-routes.yaml": route("all", "one")})
	load := func() (*config.File, error) { return config.Load(mount, os.LookupEnv) }
	f, err := load()
	if err != nil {
		t.Fatal(err)
	}
	a := app.New(app.Options{File: f, Source: app.Source{Load: load}, Logger: slog.New(slog.NewTextHandler(s.log, nil))})
	defer run(t, a)()
	version(2, map[string]string{"10-base.yaml": base + fileTo("one", "two"), "20-routes.yaml": route("all", "two")})
	c := admin.NewClient(a.Admin().String(), "")
	s.until("the second version is in force", func() bool {
		got, err := c.Status(t.Context())
		return err == nil && got.Config.Revision != f.Revision
	})
	s.post(a, "x")
	s.until("delivered", func() bool { return s.destinations(a)["two"].Delivered == 1 })
	if strings.Contains(s.log.String(), "refused") {
		t.Errorf("a mixture was seen:\n%s", s.log)
	}
}

// A destination under another name has the files of the one that goes.
func TestReloadRenamesADestination(t *testing.T) {
	s := newSite(t)
	webhook := filepath.Dir(hosttest.Build(t, "../../plugins/webhook", "webhook"))
	base := head + `plugin_dirs: ["` + buildFile(t) + `", "` + webhook + `"]` + "\n"
	a := s.reloadable(base + fileTo("one") + route("all", "one"))
	defer run(t, a)()
	c := admin.NewClient(a.Admin().String(), "")
	renamed := strings.Replace(fileTo("one"), "  one:", "  uno:", 1)
	s.write(base + renamed + "  bad: {plugin: webhook, config: {url: \"ftp://example.com\"}}\n" + route("all", "uno, bad"))
	out, err := c.Reload(t.Context())
	if err != nil || out.Applied {
		t.Fatalf("%+v, %v; want it refused", out, err)
	}
	s.post(a, "still to one")
	s.until("one works again", func() bool { return s.destinations(a)["one"].Delivered == 1 })
	s.write(base + renamed + route("all", "uno"))
	if out, err = c.Reload(t.Context()); err != nil || !out.Applied {
		t.Fatalf("%+v, %v\n%s", out, err, s.log)
	}
	s.post(a, "to uno")
	s.until("uno works", func() bool { return s.destinations(a)["uno"].Delivered == 1 })
	if strings.Contains(s.log.String(), "does not start yet") {
		t.Errorf("the new name waited for the old one:\n%s", s.log)
	}
}

// A signal that comes too early or too late breaks nothing.
func TestReloadBeforeTheStartAndAfterTheStop(t *testing.T) {
	s := newSite(t)
	base := head + `plugin_dirs: ["` + buildFile(t) + `"]` + "\n"
	a := s.reloadable(base + fileTo("one") + route("all", "one"))
	s.write(base + fileTo("one", "two") + route("all", "one, two"))
	if out := a.Reload(t.Context()); out.Applied || out.Error == "" {
		t.Errorf("before the start: %+v", out)
	}
	signalled := make(chan struct{})
	go func() {
		defer close(signalled)
		a.HangUp(t.Context())
	}()
	stop := run(t, a)
	<-signalled
	if _, ok := s.destinations(a)["two"]; !ok {
		t.Error("a signal before the start was lost")
	}
	if ready, err := admin.NewClient(a.Admin().String(), "").Ready(t.Context()); err != nil || ready.Parts["config"] != "ok" {
		t.Errorf("readiness %+v, %v", ready, err)
	}
	stop()
	if out := a.Reload(t.Context()); out.Applied || out.Error == "" {
		t.Errorf("after the stop: %+v", out)
	}
}
