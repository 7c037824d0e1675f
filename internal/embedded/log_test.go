//go:build !slim

package embedded

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// records collects log lines as "LEVEL message[ repeated=n]".
type records struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (r *records) logger() *slog.Logger { return slog.New(recorder{r}) }

func (r *records) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.lines
	r.lines = nil
	return out
}

func (r *records) want(t *testing.T, want ...string) {
	t.Helper()
	if got := r.take(); !slices.Equal(got, want) {
		t.Errorf("log = %q, want %q", got, want)
	}
}

type recorder struct{ *records }

func (recorder) Enabled(context.Context, slog.Level) bool { return true }

func (r recorder) Handle(_ context.Context, rec slog.Record) error {
	line := rec.Level.String() + " " + rec.Message
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "repeated" {
			line += " " + a.String()
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

func (r recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

func (r recorder) WithGroup(string) slog.Handler { return r }

func TestLogLowersAndDoesNotRepeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got records
		b := newBridge(got.logger())
		b.Info("info")
		b.Warn("warn")
		for range 5 {
			b.Error("error")
		}
		b.SLog().Error("through slog")
		got.want(t, "DEBUG info", "DEBUG warn", "WARN error", "WARN through slog")
		time.Sleep(repeatAfter)
		b.Error("error")
		got.want(t, "WARN error repeated=4")
		b.stopping.Store(true)
		b.Error("other")
		got.want(t, "DEBUG other")
	})
}

func TestFatalEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	var got records
	b := newBridge(got.logger())
	done := make(chan bool, 1)
	go func() {
		survived := false
		defer func() { done <- survived }()
		b.Fatal("no listener")
		survived = true
	}()
	if <-done {
		t.Error("went on after Fatal")
	}
	if text := b.fatal.Load(); text == nil || *text != "no listener" {
		t.Errorf("fatal = %v, want the message", text)
	}
}
