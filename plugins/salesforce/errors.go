package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

// Codes of this plugin; those of Salesforce go through. They are stored; never
// rename.
const (
	codeReserve    = "API_RESERVE"
	codeAnswer     = "unexpected_answer"
	codeRecord     = "invalid_record"
	codeExternalID = "external_id"
)

const (
	// quotaWait is how long to wait at the daily limit. It slides over 24 hours,
	// so some of it comes back all the time.
	quotaWait = 15 * time.Minute
	// shortWait is for too many requests at a time.
	shortWait = 10 * time.Second
)

// apiError is one error of Salesforce: of a request or of a record.
type apiError struct {
	ErrorCode  string   `json:"errorCode"`  // of requests
	StatusCode string   `json:"statusCode"` // of records
	Message    string   `json:"message"`
	Fields     []string `json:"fields"`
}

func (e *apiError) code() string {
	if e.StatusCode != "" {
		return safeCode(e.StatusCode, codeAnswer)
	}
	return safeCode(e.ErrorCode, codeAnswer)
}

var codePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// safeCode keeps anything but a code out of logs.
func safeCode(text, otherwise string) string {
	if codePattern.MatchString(text) {
		return text
	}
	return otherwise
}

// errorsOf reads the body of a refused request: a list, or from some gateways an
// object or a page.
func errorsOf(body []byte) []apiError {
	var list []apiError
	if json.Unmarshal(body, &list) == nil {
		return list
	}
	var one apiError
	if json.Unmarshal(body, &one) == nil && one.ErrorCode != "" {
		return []apiError{one}
	}
	return nil
}

// Codes by what they mean. What is in none is the record's own fault.
var (
	passing = []string{
		"UNABLE_TO_LOCK_ROW", "UNKNOWN_EXCEPTION", "SERVER_UNAVAILABLE", "QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG",
		"ALL_OR_NONE_OPERATION_ROLLED_BACK", "ENTITY_IS_DELETED",
	}
	setup = []string{
		"API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "API_NOT_ENABLED", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY",
		"INVALID_AUTH_HEADER", "INVALID_LOGIN", "INVALID_SESSION_ID", "LOGIN_MUST_USE_SECURITY_TOKEN", "PASSWORD_LOCKOUT",
		"ORG_LOCKED", "STORAGE_LIMIT_EXCEEDED", "UNSUPPORTED_API_VERSION",
	}
	// ofSchema are the fault of the names in a request, not of values.
	ofSchema = []string{"INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND", "INVALIDENTITY", "INVALIDJOB"}
)

// kindOf says what an error means.
func kindOf(code, message string) destination.ResultKind {
	switch {
	case code == "REQUEST_LIMIT_EXCEEDED":
		return destination.Throttled
	case slices.Contains(passing, code),
		// A trigger that met the lock has a code of its own.
		strings.Contains(message, "UNABLE_TO_LOCK_ROW"), strings.Contains(message, "Too many SOQL queries"):
		return destination.Retry
	case missingParent(code, message):
		return destination.Dependency
	case slices.Contains(setup, code):
		return destination.Misconfigured
	}
	return destination.Rejected
}

// missingParent: a record names a parent, by external id or id, that is not there.
func missingParent(code, message string) bool {
	text := strings.ToLower(message)
	return code == "INVALID_CROSS_REFERENCE_KEY" ||
		(code == "INVALID_FIELD" || code == "NOT_FOUND") && strings.Contains(text, "external id") && strings.Contains(text, "not found")
}

// failureOf says what an answer that is no success means for its request.
func (c *client) failureOf(a answer) *destination.Failure {
	list := errorsOf(a.body)
	f := &destination.Failure{Code: fmt.Sprintf("http_%d", a.status)}
	text := fmt.Sprintf("Salesforce answered %d %s", a.status, http.StatusText(a.status))
	message := ""
	if len(list) > 0 {
		f.Code, message = list[0].code(), list[0].Message
		text += ": " + f.Code + ": " + c.options.quote(message, a.token)
	}
	switch {
	case f.Code == "REQUEST_LIMIT_EXCEEDED" && strings.Contains(message, "Concurrent"):
		f.Kind, f.Until = destination.Throttled, c.now().Add(shortWait)
	case f.Code == "REQUEST_LIMIT_EXCEEDED":
		f.Kind, f.Until = destination.Throttled, c.now().Add(quotaWait)
	case a.status == http.StatusTooManyRequests, a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
		f.Kind, f.Until = destination.Throttled, c.waits(a.header)
	case a.status >= http.StatusInternalServerError, a.status == http.StatusRequestTimeout:
		f.Kind = destination.Retry
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		f.Kind = destination.Misconfigured
	case a.status == http.StatusMultipleChoices:
		f.Kind, f.Code = destination.Rejected, "DUPLICATE_EXTERNAL_ID"
	case a.status < http.StatusBadRequest:
		f.Kind = destination.Misconfigured
		text += "; redirects are not followed: is login_url right?"
	case len(list) > 0:
		f.Kind = kindOf(f.Code, message)
	default:
		f.Kind = destination.Rejected
	}
	f.Err = errors.New(text)
	return f
}

// waits is the end of a wait that the header asks for, within reason.
func (c *client) waits(h http.Header) time.Time {
	const longest = time.Hour
	until, ok := httpanswer.RetryAfter(h.Get("Retry-After"), c.now(), longest)
	if !ok || !until.After(c.now()) {
		return c.now().Add(shortWait)
	}
	return until
}

// noAnswer says what an error before the answer means. A timeout may have been
// committed; an upsert repeated does no harm.
func noAnswer(ctx context.Context, err error, o *options) *destination.Failure {
	r := httpanswer.Lost(ctx, err)
	switch {
	case r.Code == httpanswer.CodeCancelled, r.Code == httpanswer.CodeTimeout:
	case ctx.Err() != nil:
		r.Code = httpanswer.CodeTimeout
	default:
		r.Code = httpanswer.CodeNetwork // one code for all of them
	}
	return &destination.Failure{Kind: r.Kind, Code: r.Code, Err: errors.New("Salesforce: " + o.quote(r.Message))}
}

func resultOf(f *destination.Failure) destination.Result {
	return destination.Result{Kind: f.Kind, Code: f.Code, Until: f.Until, Message: f.Err.Error()}
}

// resultOfErrors is the outcome of one record that was refused: its first error
// counts.
func (c *client) resultOfErrors(list []apiError) destination.Result {
	if len(list) == 0 {
		return destination.Result{Kind: destination.Retry, Code: codeAnswer, Message: "Salesforce refused the record without a reason"}
	}
	e := list[0]
	r := destination.Result{Kind: kindOf(e.code(), e.Message), Code: e.code(), Message: c.options.quote(e.Message)}
	if len(e.Fields) > 0 {
		r.Message += " (fields: " + c.options.quote(strings.Join(e.Fields, ", ")) + ")"
	}
	if r.Kind == destination.Throttled {
		r.Until = c.now().Add(quotaWait)
	}
	return r
}
