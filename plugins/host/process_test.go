package host

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// life is an instance without a process.
type life struct {
	done chan struct{}
}

func (l *life) Describe(context.Context) (destination.Description, error) {
	return l.Description(), nil
}
func (l *life) Description() destination.Description             { return destination.Description{Version: "1"} }
func (l *life) Configure(context.Context, json.RawMessage) error { return nil }
func (l *life) Check(context.Context) error                      { return nil }
func (l *life) Write(context.Context, destination.Batch) ([]destination.Result, error) {
	return nil, nil
}
func (l *life) DryRun(context.Context, destination.Batch) ([]string, error) { return nil, nil }

func (l *life) CheckObject(context.Context, string, []string) (destination.ObjectCheck, error) {
	return destination.ObjectCheck{}, nil
}
func (l *life) PID() int              { return 1 }
func (l *life) Done() <-chan struct{} { return l.done }
func (l *life) Cause() error          { return errors.New("exit status 1") }
func (l *life) Close(context.Context) {}

// world launches lives and remembers when.
type world struct {
	begun    time.Time
	launched []time.Duration
	lives    []*life
	err      error
	slow     time.Duration
}

func (w *world) launch(ctx context.Context) (instance, error) {
	w.launched = append(w.launched, time.Since(w.begun))
	select {
	case <-time.After(w.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if w.err != nil {
		return nil, w.err
	}
	l := &life{done: make(chan struct{})}
	w.lives = append(w.lives, l)
	return l, nil
}

func (w *world) start(t *testing.T) *process {
	w.begun = time.Now()
	p := newProcess("d", "test", slog.New(slog.DiscardHandler), backoff{min: time.Second, max: time.Minute, stable: 10 * time.Minute}, w.launch)
	p.begin(t.Context())
	t.Cleanup(func() {
		if err := p.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func kind(err error) destination.ResultKind {
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		return f.Kind
	}
	return destination.Retry
}

func TestBackoff(t *testing.T) {
	b := backoff{min: time.Second, max: time.Minute}
	for deaths, want := range map[int]time.Duration{1: 1, 2: 2, 3: 4, 6: 32, 7: 60, 8: 60, 1000: 60} {
		if got := b.after(deaths); got != want*time.Second {
			t.Errorf("after %d deaths: %v, want %v", deaths, got, want*time.Second)
		}
	}
}

func TestPausesGrowAndStartOverAfterAStableLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		p := w.start(t)
		if err := p.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, want := range []time.Duration{1, 2, 4, 8} {
			close(w.lives[i].done)
			synctest.Wait()
			_, _, err := p.acquire(t.Context())
			f, ok := errors.AsType[*destination.Failure](err)
			if !ok || f.Kind != destination.Throttled || time.Until(f.Until) != want*time.Second {
				t.Fatalf("death %d: %v", i+1, err)
			}
			time.Sleep(want * time.Second)
			synctest.Wait()
			if s := p.status(); s.State != StateRunning || s.Restarts != i+1 {
				t.Fatalf("after pause %d: %+v", i+1, s)
			}
		}
		time.Sleep(10 * time.Minute)
		close(w.lives[4].done)
		synctest.Wait()
		if s := p.status(); time.Until(s.Until) != time.Second {
			t.Errorf("pause after a stable life: %v", time.Until(s.Until))
		}
	})
}

func TestFailedStartIsRetriedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{err: errors.New("exec format error")}
		p := w.start(t)
		if err := p.ready(t.Context()); err == nil || kind(err) != destination.Retry {
			t.Errorf("ready: %v", err)
		}
		w.err = nil
		if _, _, err := p.acquire(t.Context()); kind(err) != destination.Throttled {
			t.Errorf("in the pause: %v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, release, err := p.acquire(t.Context()); err != nil {
			t.Errorf("after the pause: %v", err)
		} else {
			release()
		}
	})
}

func TestRefusedSettingsAreTriedAgainOnlyOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &destination.Failure{Kind: destination.Misconfigured, Err: errors.New("wrong password")}
		w := &world{err: refused}
		p := w.start(t)
		if err := p.ready(t.Context()); kind(err) != destination.Misconfigured {
			t.Errorf("ready: %v", err)
		}
		time.Sleep(time.Hour)
		if len(w.launched) != 1 {
			t.Fatalf("launched at %v without a call", w.launched)
		}
		// A call launches, and gets what comes of it.
		if _, _, err := p.acquire(t.Context()); kind(err) != destination.Misconfigured || len(w.launched) != 2 {
			t.Errorf("second launch: %v at %v", err, w.launched)
		}
		if _, _, err := p.acquire(t.Context()); kind(err) != destination.Misconfigured || len(w.launched) != 2 {
			t.Errorf("in the pause: %v at %v", err, w.launched)
		}
		w.err = nil
		time.Sleep(2 * time.Second)
		if _, release, err := p.acquire(t.Context()); err != nil {
			t.Errorf("after the correction: %v", err)
		} else {
			release()
		}
	})
}

func TestCallsWaitForALaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{slow: 5 * time.Second}
		p := w.start(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := p.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("short of time: %v", err)
		}
		if _, release, err := p.acquire(t.Context()); err != nil {
			t.Errorf("with time: %v", err)
		} else {
			release()
		}
		if got := time.Since(w.begun); got != 5*time.Second {
			t.Errorf("waited %v", got)
		}
	})
}

func TestStopDuringLaunchAndPause(t *testing.T) {
	for name, w := range map[string]*world{
		"launch":  {slow: time.Hour},
		"pause":   {err: errors.New("no")},
		"refused": {err: &destination.Failure{Kind: destination.Misconfigured, Err: errors.New("no")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := w.start(t)
				synctest.Wait()
				begun := time.Now()
				if err := p.stop(t.Context()); err != nil || time.Since(begun) != 0 {
					t.Errorf("%v after %v", err, time.Since(begun))
				}
				if _, _, err := p.acquire(t.Context()); !errors.Is(err, errStopped) {
					t.Errorf("a call afterwards: %v", err)
				}
			})
		})
	}
}
