package endpoint

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// logInterval is how often one kind of refusal of one source is logged.
const logInterval = 10 * time.Second

// limitedLog logs the first refusal of a kind at once, and then at most one per
// interval with the number of those left out: a sender with a wrong key must not
// fill the disk.
type limitedLog struct {
	logger *slog.Logger
	now    func() time.Time

	mu   sync.Mutex // guards last; not held while logging
	last map[logKey]*logState
}

type logKey struct{ source, reason string } // both from bounded sets

type logState struct {
	at      time.Time
	skipped int
}

func newLimitedLog(logger *slog.Logger, now func() time.Time) *limitedLog {
	return &limitedLog{logger: logger, now: now, last: make(map[logKey]*logState)}
}

func (l *limitedLog) log(ctx context.Context, level slog.Level, source, reason, message string, status int, cause error) {
	if !l.logger.Enabled(ctx, level) {
		return
	}
	skipped, ok := l.admit(logKey{source, reason})
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("source", source), slog.String("reason", reason), slog.Int("status", status)}
	if cause != nil {
		attrs = append(attrs, slog.String("err", cause.Error()))
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int("not_logged", skipped))
	}
	l.logger.LogAttrs(ctx, level, message, attrs...)
}

func (l *limitedLog) admit(key logKey) (skipped int, ok bool) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.last[key]
	if s == nil {
		l.last[key] = &logState{at: now}
		return 0, true
	}
	if now.Sub(s.at) < logInterval {
		s.skipped++
		return 0, false
	}
	skipped, s.skipped, s.at = s.skipped, 0, now
	return skipped, true
}
