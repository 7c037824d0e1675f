package endpoint

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

// unknownSource stands for every source name that is not configured: a label
// must not be made by whoever sends requests.
const unknownSource = "unknown"

// problem is a refusal: what the sender is told, and, apart from that, the cause
// for our log.
type problem struct {
	status     int
	code       string // public, stable; the label reason of the metric as well
	message    string // public
	retryAfter int    // seconds; 0: none
	level      slog.Level
	// close ends the connection. Without it net/http would first read the rest of
	// the body (to use the connection again) and only then answer: work done for,
	// and time spent on, whoever has not shown who they are.
	close bool
	cause error
}

func (p *problem) Error() string { return p.message }
func (p *problem) Unwrap() error { return p.cause }

// because returns the problem with a cause. The sender is not told.
func (p *problem) because(err error) *problem {
	q := *p
	q.cause = err
	return &q
}

// after returns the problem with a time to come again.
func (p *problem) after(wait time.Duration) *problem {
	q := *p
	q.retryAfter = int((wait + time.Second - 1) / time.Second)
	return &q
}

var (
	problemMethod = &problem{status: http.StatusMethodNotAllowed, code: "method_not_allowed",
		message: "send webhooks with POST", level: slog.LevelDebug, close: true}
	problemPath = &problem{status: http.StatusNotFound, code: "not_found",
		message: "webhooks are received at /webhooks/<source>", level: slog.LevelDebug, close: true}
	problemSource = &problem{status: http.StatusNotFound, code: "unknown_source",
		message: "there is no source of this name", level: slog.LevelWarn, close: true}
	problemTooLarge = &problem{status: http.StatusRequestEntityTooLarge, code: "body_too_large",
		message: "the body is larger than this endpoint accepts", level: slog.LevelWarn, close: true}
	problemContentType = &problem{status: http.StatusUnsupportedMediaType, code: "unsupported_content_type",
		message: "send application/json in UTF-8", level: slog.LevelWarn, close: true}
	problemEncoding = &problem{status: http.StatusUnsupportedMediaType, code: "unsupported_content_encoding",
		message: "send the body as it is or with gzip", level: slog.LevelWarn, close: true}
	problemUntrusted = &problem{status: http.StatusUnauthorized, code: "unauthenticated",
		message: "the request could not be authenticated", level: slog.LevelWarn, close: true}
	problemCorrupt = &problem{status: http.StatusBadRequest, code: "corrupt_body",
		message: "the body cannot be decompressed", level: slog.LevelWarn}
	problemIncomplete = &problem{status: http.StatusBadRequest, code: "incomplete_body",
		message: "the body ended too early", level: slog.LevelWarn, close: true}
	problemSlow = &problem{status: http.StatusRequestTimeout, code: "timeout",
		message: "the body did not arrive in time", level: slog.LevelWarn, close: true}
	problemNotJSON = &problem{status: http.StatusBadRequest, code: "not_json",
		message: "the body is not JSON", level: slog.LevelWarn}
	problemSourceBusy = &problem{status: http.StatusTooManyRequests, code: "source_overloaded",
		message: "too many requests of this source at a time", retryAfter: 1, level: slog.LevelWarn}
	problemTooFast = &problem{status: http.StatusTooManyRequests, code: "rate_limited",
		message: "too many requests of this source over time", level: slog.LevelWarn}
	problemBusy = &problem{status: http.StatusServiceUnavailable, code: "overloaded",
		message: "too many requests at a time", retryAfter: 1, level: slog.LevelWarn}
	problemMemory = &problem{status: http.StatusServiceUnavailable, code: "overloaded",
		message: "too many large requests at a time", retryAfter: 1, level: slog.LevelWarn, close: true}
	problemStorage = &problem{status: http.StatusServiceUnavailable, code: "not_stored",
		message: "the event could not be stored", retryAfter: 5, level: slog.LevelError}
	problemFull = &problem{status: http.StatusServiceUnavailable, code: "storage_full",
		message: "the event could not be stored", retryAfter: 60, level: slog.LevelError}
	problemInternal = &problem{status: http.StatusInternalServerError, code: "internal",
		message: "internal error", level: slog.LevelError, close: true}
)

// reject answers, counts and logs a refusal. source is a configured name or
// unknownSource.
func (e *Endpoint) reject(ctx context.Context, w http.ResponseWriter, source string, p *problem, cause error) {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = p.code, p.message
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.close {
		w.Header().Set("Connection", "close")
	}
	respond(w, p.status, body)
	e.metrics.rejected.WithLabelValues(source, p.code).Inc()
	e.warn.log(ctx, p.level, source, p.code, "webhook rejected", p.status, cause)
}

func answer(w http.ResponseWriter, a ledger.Appended) {
	status := http.StatusAccepted
	if a.Duplicate {
		status = http.StatusOK
	}
	respond(w, status, struct {
		EventID   string `json:"event_id"`
		Duplicate bool   `json:"duplicate"`
	}{a.EventID, a.Duplicate})
}

func respond(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil { // strings, booleans: cannot be
		status, b = http.StatusInternalServerError, []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Whoever does not read the answer asks again.
	_, _ = w.Write(append(b, '\n'))
}

// recover turns a panic into an answer. Its value is not logged: it may quote
// what was being parsed.
func (e *Endpoint) recover(ctx context.Context, w http.ResponseWriter, source string) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler {
		panic(v)
	}
	e.log.ErrorContext(ctx, "panic while a webhook was handled", "source", source, "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
	e.reject(ctx, w, source, problemInternal, nil)
}
