//go:build !slim

package embedded

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

const (
	// The same complaint is logged once in this time; the others are counted.
	repeatAfter = time.Minute
	// More different complaints than these are not told apart.
	maxComplaints = 256
)

// bridge brings Temporal's log into ours, at lower levels: what happens inside
// Temporal is its own business until it is an error, and most of its errors
// are about calls that it repeats.
type bridge struct {
	*complaints
	tags []tag.Tag
}

// complaints is what all loggers of one server share.
type complaints struct {
	logger   *slog.Logger
	stopping atomic.Bool
	fatal    atomic.Pointer[string]

	mu   sync.Mutex // guards seen
	seen map[string]*complaint
}

type complaint struct {
	last       time.Time
	suppressed int
}

var (
	_ log.Logger      = (*bridge)(nil)
	_ log.WithLogger  = (*bridge)(nil)
	_ log.SLogWrapper = (*bridge)(nil)
)

func newBridge(l *slog.Logger) *bridge {
	return &bridge{complaints: &complaints{
		logger: l.With(slog.String("component", "temporal")),
		seen:   make(map[string]*complaint),
	}}
}

func (b *bridge) With(tags ...tag.Tag) log.Logger {
	all := make([]tag.Tag, 0, len(b.tags)+len(tags))
	return &bridge{complaints: b.complaints, tags: append(append(all, b.tags...), tags...)}
}

// SLog serves the parts of Temporal that log through slog.
func (b *bridge) SLog() *slog.Logger { return slog.New(lowered{b: b, Handler: b.logger.Handler()}) }

func (b *bridge) Debug(string, ...tag.Tag) {}

func (b *bridge) Info(msg string, tags ...tag.Tag) { b.emit(slog.LevelDebug, msg, tags) }

func (b *bridge) Warn(msg string, tags ...tag.Tag) { b.emit(slog.LevelDebug, msg, tags) }

func (b *bridge) Error(msg string, tags ...tag.Tag) { b.emit(slog.LevelWarn, msg, tags) }

func (b *bridge) DPanic(msg string, tags ...tag.Tag) { b.emit(slog.LevelError, msg, tags) }

func (b *bridge) Panic(msg string, tags ...tag.Tag) {
	b.emit(slog.LevelError, msg, tags)
	panic("temporal: " + msg)
}

// Fatal ends the calling goroutine instead of the process. Temporal calls it
// only while it starts, where Start then fails with this message.
func (b *bridge) Fatal(msg string, tags ...tag.Tag) {
	text := msg
	for _, t := range tags {
		if err, ok := t.Value().(error); ok {
			text += ": " + err.Error()
		} else if t.Key() == "error" {
			if s, ok := t.Value().(string); ok {
				text += ": " + s
			}
		}
	}
	b.fatal.CompareAndSwap(nil, &text)
	b.emit(slog.LevelError, msg, tags)
	runtime.Goexit()
}

func (b *bridge) emit(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background()
	level, repeated, ok := b.admit(ctx, level, msg)
	if !ok {
		return
	}
	attrs := make([]slog.Attr, 0, len(b.tags)+len(tags)+1)
	for _, t := range b.tags {
		attrs = append(attrs, slog.Any(t.Key(), t.Value()))
	}
	for _, t := range tags {
		// Stacks fill the log and say nothing to an operator.
		if t.Key() != "sys-stack-trace" {
			attrs = append(attrs, slog.Any(t.Key(), t.Value()))
		}
	}
	if repeated > 0 {
		attrs = append(attrs, slog.Int("repeated", repeated))
	}
	b.logger.LogAttrs(ctx, level, msg, attrs...)
}

// admit decides at which level a message is logged, and whether it is.
func (c *complaints) admit(ctx context.Context, level slog.Level, msg string) (slog.Level, int, bool) {
	if c.stopping.Load() && level < slog.LevelError {
		// Parts that stop complain about parts that have stopped.
		level = slog.LevelDebug
	}
	if !c.logger.Enabled(ctx, level) {
		return level, 0, false
	}
	if level < slog.LevelWarn {
		return level, 0, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.seen[msg]
	if got == nil {
		if len(c.seen) >= maxComplaints {
			clear(c.seen)
		}
		c.seen[msg] = &complaint{last: time.Now()}
		return level, 0, true
	}
	if time.Since(got.last) < repeatAfter {
		got.suppressed++
		return level, 0, false
	}
	repeated := got.suppressed
	*got = complaint{last: time.Now()}
	return level, repeated, true
}

// lowered is the same bridge for slog.
type lowered struct {
	slog.Handler
	b *bridge
}

func lower(l slog.Level) slog.Level {
	if l >= slog.LevelError {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (h lowered) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo && h.Handler.Enabled(ctx, lower(l))
}

func (h lowered) Handle(ctx context.Context, r slog.Record) error {
	level, repeated, ok := h.b.admit(ctx, lower(r.Level), r.Message)
	if !ok {
		return nil
	}
	r.Level = level
	if repeated > 0 {
		r.AddAttrs(slog.Int("repeated", repeated))
	}
	return h.Handler.Handle(ctx, r)
}

func (h lowered) WithAttrs(a []slog.Attr) slog.Handler {
	return lowered{b: h.b, Handler: h.Handler.WithAttrs(a)}
}

func (h lowered) WithGroup(name string) slog.Handler {
	return lowered{b: h.b, Handler: h.Handler.WithGroup(name)}
}
