package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/wire"
)

type author struct {
	write  func(context.Context) ([]destination.Result, error)
	close  func() error
	closed bool
}

func (a *author) Describe(context.Context) (destination.Description, error) { panic("describe") }

func (a *author) Configure(context.Context, json.RawMessage) error { panic(errors.New("configure")) }

func (a *author) Write(ctx context.Context, _ destination.Batch) ([]destination.Result, error) {
	return a.write(ctx)
}

func (a *author) Close() error {
	a.closed = true
	if a.close == nil {
		return nil
	}
	return a.close()
}

func TestPanicIsAFailure(t *testing.T) {
	var stderr bytes.Buffer
	g := newGuard(&author{}, &stderr)
	_, describeErr := g.Describe(t.Context())
	for name, err := range map[string]error{"describe": describeErr, "configure": g.Configure(t.Context(), nil)} {
		f, ok := errors.AsType[*destination.Failure](err)
		if !ok || f.Kind != destination.Retry || f.Code != destination.CodePanic {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(stderr.String(), "panic in "+name) {
			t.Errorf("%s is not in the log: %s", name, stderr.String())
		}
	}
	if !strings.Contains(stderr.String(), "guard_test.go") {
		t.Error("the stack is not in the log")
	}
}

// Contents of records must not come into logs by way of a panic, and a mistake
// must be found all the same.
func TestPanicDoesNotQuote(t *testing.T) {
	for name, tt := range map[string]struct {
		panics func()
		want   string
	}{
		"text":    {func() { panic("cannot take 4111111111111111") }, "panic in write: string\n"},
		"error":   {func() { panic(errors.New("cannot take 4111111111111111")) }, "panic in write: *errors.errorString\n"},
		"runtime": {func() { _ = []int{}[len(t.Name())] }, "panic in write: runtime error: index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			g := newGuard(&author{write: func(context.Context) ([]destination.Result, error) {
				tt.panics()
				return nil, nil
			}}, &stderr)
			if _, err := g.Write(t.Context(), destination.Batch{}); err == nil || strings.Contains(err.Error(), "41111111") {
				t.Errorf("err = %v", err)
			}
			if s := stderr.String(); !strings.HasPrefix(s, tt.want) || strings.Contains(s, "41111111") {
				t.Errorf("logged %s", s)
			}
		})
	}
}

func TestOneResultPerRecord(t *testing.T) {
	g := newGuard(&author{write: func(context.Context) ([]destination.Result, error) {
		return make([]destination.Result, 2), nil
	}}, nil)
	if results, err := g.Write(t.Context(), destination.Batch{Records: make([]destination.Record, 2)}); err != nil || len(results) != 2 {
		t.Errorf("%v, %v", results, err)
	}
	if results, err := g.Write(t.Context(), destination.Batch{Records: make([]destination.Record, 3)}); err == nil || results != nil {
		t.Errorf("%v, %v", results, err)
	}
}

func TestMissingAbilities(t *testing.T) {
	g := newGuard(&author{}, nil)
	if err := g.Check(t.Context()); !errors.Is(err, wire.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := g.DryRun(t.Context(), destination.Batch{}); !errors.Is(err, wire.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := g.CheckObject(t.Context(), "bills", nil); !errors.Is(err, wire.ErrUnsupported) {
		t.Error(err)
	}
}

func TestStopCancelsWaitsAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &author{}
		ended := false
		a.write = func(ctx context.Context) ([]destination.Result, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return nil, ctx.Err()
		}
		a.close = func() error {
			if !ended {
				t.Error("closed during a call")
			}
			return nil
		}
		g := newGuard(a, nil)
		written := make(chan error, 1)
		go func() {
			_, err := g.Write(t.Context(), destination.Batch{})
			written <- err
		}()
		synctest.Wait()
		if code := g.stop(); code != 0 || !a.closed {
			t.Errorf("code %d, closed %v", code, a.closed)
		}
		if err := <-written; !errors.Is(err, context.Canceled) {
			t.Errorf("write: %v", err)
		}
		if _, err := g.Write(t.Context(), destination.Batch{}); err == nil {
			t.Error("a call after the stop was taken")
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		a := &author{
			write: func(context.Context) ([]destination.Result, error) { <-release; return nil, nil },
			close: func() error { <-release; return nil },
		}
		g := newGuard(a, nil)
		go func() { _, _ = g.Write(t.Context(), destination.Batch{}) }()
		synctest.Wait()
		begun := time.Now()
		if code := g.stop(); code != 1 {
			t.Errorf("code %d", code)
		}
		if took := time.Since(begun); took != settle+closing {
			t.Errorf("took %v", took)
		}
		close(release)
	})
}

func TestStartedByHand(t *testing.T) {
	t.Setenv(wire.Handshake().MagicCookieKey, "")
	var stderr bytes.Buffer
	if code := run(&author{}, strings.NewReader(""), &stderr); code != 2 {
		t.Errorf("code %d", code)
	}
	if !strings.Contains(stderr.String(), "is a destination plugin: Sluice starts it") {
		t.Errorf("said %q", stderr.String())
	}
}

// meter is an author with figures.
type meter struct {
	*author
	panics bool
}

func (m meter) Metrics(context.Context) ([]destination.Metric, error) {
	if m.panics {
		panic("metrics")
	}
	return []destination.Metric{{Name: "own_total", Value: 1}}, nil
}

func TestMetrics(t *testing.T) {
	names := func(list []destination.Metric) (names []string) {
		for _, m := range list {
			names = append(names, m.Name)
		}
		return names
	}
	list, err := newGuard(&author{}, nil).Metrics(t.Context())
	if err != nil || !slices.Contains(names(list), "goroutines") {
		t.Errorf("without figures of its own: %v, %v", names(list), err)
	}
	list, err = newGuard(meter{&author{}, false}, nil).Metrics(t.Context())
	if err != nil || !slices.Contains(names(list), "own_total") || !slices.Contains(names(list), "goroutines") {
		t.Errorf("with figures of its own: %v, %v", names(list), err)
	}
	var stderr bytes.Buffer
	if _, err := newGuard(meter{&author{}, true}, &stderr).Metrics(t.Context()); err == nil {
		t.Error("a panic is no error")
	}
}
