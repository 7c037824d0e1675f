package host

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// maxLogLine bounds one line of a plugin's output; the rest of it is dropped.
const maxLogLine = 64 << 10

// lineLogger makes one log entry of each line that is written to it. A JSON
// object in hclog's form keeps its level and attributes; other lines count as
// level plain, and as errors from the first line of a Go panic on. What the panic
// says is left out: it may quote the record that a plugin could not take.
type lineLogger struct {
	log   *slog.Logger
	plain slog.Level
	most  slog.Level // no entry gets a higher level

	mu      sync.Mutex
	line    []byte
	panicky bool // after the first line of a panic
	quoting bool // within what the panic says
	ended   bool
}

// newLineLogger returns a lineLogger for the output of a plugin.
func newLineLogger(log *slog.Logger) *lineLogger {
	return &lineLogger{log: log, plain: slog.LevelInfo, most: slog.LevelError}
}

// Write implements io.Writer. It never fails: a plugin must not block on its log.
func (l *lineLogger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		part, after, ended := bytes.Cut(rest, []byte("\n"))
		rest = after
		l.line = append(l.line, part[:min(len(part), maxLogLine-len(l.line))]...)
		if ended {
			l.emit(l.line)
			l.line = l.line[:0]
		}
	}
	return len(p), nil
}

// end logs a last line that was not ended. Later writes are dropped.
func (l *lineLogger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.emit(l.line)
	l.line, l.ended = nil, true
}

func (l *lineLogger) emit(line []byte) {
	line = bytes.TrimRight(line, "\r")
	if len(bytes.TrimSpace(line)) == 0 {
		return
	}
	if level, msg, attrs, ok := parseEntry(line); ok && !l.quoting {
		l.log.LogAttrs(context.Background(), min(level, l.most), msg, attrs...)
		return
	}
	text, ok := l.withoutQuote(string(line))
	if !ok {
		return
	}
	level := l.plain
	if l.panicky {
		level = slog.LevelError
	}
	l.log.LogAttrs(context.Background(), min(level, l.most), text)
}

// withoutQuote follows the output of a Go process that ends by a panic, and
// replaces the panic's value, which may have several lines. Only what Go's
// runtime says is kept.
func (l *lineLogger) withoutQuote(text string) (string, bool) {
	switch {
	case strings.HasPrefix(text, "panic: "):
		l.panicky, l.quoting = true, true
		if !strings.HasPrefix(text, "panic: runtime error: ") {
			text = "panic: (what it says is not logged, it may quote records)"
		}
	case strings.HasPrefix(text, "panic in "), strings.HasPrefix(text, "fatal error: "):
		l.panicky = true
	case l.quoting && strings.HasPrefix(text, "goroutine "):
		l.quoting = false
	case l.quoting && !strings.HasPrefix(text, "[signal "):
		return "", false
	}
	return text, true
}

// parseEntry reads a line of hclog's JSON form.
func parseEntry(line []byte) (level slog.Level, msg string, attrs []slog.Attr, ok bool) {
	if line[0] != '{' {
		return 0, "", nil, false
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var entry map[string]any
	if d.Decode(&entry) != nil {
		return 0, "", nil, false
	}
	msg, isText := entry["@message"].(string)
	if !isText {
		return 0, "", nil, false
	}
	name, _ := entry["@level"].(string)
	if strings.EqualFold(name, "trace") {
		level = slog.LevelDebug
	} else if level.UnmarshalText([]byte(name)) != nil {
		level = slog.LevelInfo
	}
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		if !strings.HasPrefix(key, "@") {
			attrs = append(attrs, slog.Any(key, entry[key]))
		}
	}
	return level, msg, attrs, true
}

// libraryLogger brings go-plugin's own messages into log, all at debug level:
// what matters of them the host says itself.
func libraryLogger(log *slog.Logger) hclog.Logger {
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return hclog.NewNullLogger()
	}
	var w io.Writer = &lineLogger{log: log, plain: slog.LevelDebug, most: slog.LevelDebug}
	return hclog.New(&hclog.LoggerOptions{Output: w, JSONFormat: true, Level: hclog.Debug})
}
