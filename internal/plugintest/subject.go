package plugintest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/conformance"
	"github.com/sluicehq/sluice/plugins/host"
	"github.com/sluicehq/sluice/plugins/host/trial"
)

// Run runs the cases over the plugin at path, those of only if there are any,
// and calls each with every outcome as it comes.
func Run(ctx context.Context, path string, f *File, only []string, each func(conformance.Outcome)) (*conformance.Report, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "sluice-plugins-test")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	s := &subject{file: f, path: path, temp: temp, places: map[string]place{}}
	return conformance.Try(ctx, s.conformance(), only, each)
}

// subject is a plugin's binary as the cases see it.
type subject struct {
	file *File
	path string
	temp string

	mu     sync.Mutex
	places map[string]place // by settings
}

func (s *subject) conformance() conformance.Subject {
	c := conformance.Subject{New: s.open, Settings: s.settings, Lacks: s.file.Lacks}
	if s.file.Read != nil {
		c.Rows = s.rows
	}
	if s.file.WrongCredentials != nil {
		c.WrongCredentials = s.wrongCredentials
	}
	if len(s.file.Faults) > 0 {
		c.Fault = s.fault
	}
	return c
}

func (s *subject) open(t conformance.T) destination.Destination {
	env := map[string]string{}
	for name, value := range s.file.Env {
		var err error
		if env[name], err = (place{}).fill(value); err != nil {
			t.Fatalf("env: %v", err)
		}
	}
	p, err := trial.Start(t.Context(), s.path, host.OpenOptions{Env: env, Dir: s.file.dir})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *subject) settings(t conformance.T) json.RawMessage {
	dir, err := os.MkdirTemp(s.temp, "place")
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(dir)
	if s.file.Reset != nil {
		if _, err := s.file.do(t.Context(), p, *s.file.Reset); err != nil {
			t.Fatalf("reset: %v", err)
		}
	}
	raw, err := s.file.settings(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[string(raw)] = p
	return raw
}

func (s *subject) place(settings json.RawMessage) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.places[string(settings)]
}

func (s *subject) rows(t conformance.T, settings json.RawMessage, object string) []map[string]string {
	rows, err := s.file.rows(t.Context(), s.place(settings), object)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func (s *subject) wrongCredentials(t conformance.T, settings json.RawMessage) json.RawMessage {
	raw, err := s.file.settings(s.place(settings), s.file.WrongCredentials)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (s *subject) fault(t conformance.T, settings json.RawMessage, f conformance.Fault) bool {
	a, ok := s.file.Faults[f.Kind]
	if !ok {
		return false
	}
	wait := "" // a header that is empty is none
	if f.RetryAfter > 0 {
		wait = fmt.Sprintf("%.0f", f.RetryAfter.Seconds())
	}
	p := s.place(settings).with("{retry_after}", wait).with("{after}", fmt.Sprint(f.After))
	// Not the case's context: an end of a fault must work when the case is over.
	if _, err := s.file.do(context.WithoutCancel(t.Context()), p, a); err != nil {
		t.Fatalf("faults.%s: %v", f.Kind, err)
	}
	return true
}
