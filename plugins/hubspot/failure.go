package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/destination/redact"
)

// Codes that are not HubSpot's own.
const (
	codeInvalid  = "invalid_record"
	codeSilent   = "SILENT_FAILURE"
	codeRefresh  = "REFRESH_TOKEN"
	codeAnswer   = "answer"
	codeNetwork  = "network"
	codeKey      = "KEY_PROPERTY"
	codeObject   = "OBJECT"
	codeParent   = "PARENT_MISSING"
	codeNoResult = "not_sent"

	// codeUnknownProperty is HubSpot's.
	codeUnknownProperty = "PROPERTY_DOESNT_EXIST"
)

const (
	// maxQuote is how much of HubSpot's message is kept.
	maxQuote = 500
	// maxWait bounds a Retry-After: a migration of an account may take a day.
	maxWait = 25 * time.Hour
	// statusMigrating is HubSpot's: the account moves to another data centre.
	statusMigrating = 477
)

// errorBody is HubSpot's; every field may be missing.
type errorBody struct {
	Category      string         `json:"category"`
	Message       string         `json:"message"`
	PolicyName    string         `json:"policyName"`
	CorrelationID string         `json:"correlationId"`
	Context       map[string]any `json:"context"`
	Errors        []errorBody    `json:"errors"`
}

// apiError is an answer that is not a good one.
type apiError struct {
	status int
	header http.Header
	body   errorBody
}

func (e *apiError) Error() string { return describe(e.status, e.body) }

func asAPIError(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return nil
}

// isBad reports whether HubSpot refused what is in the request. In a batch one
// record may be to blame.
func isBad(err error) bool {
	e := asAPIError(err)
	return e != nil && (e.status == http.StatusBadRequest || e.status == http.StatusConflict)
}

func resultFailure(r destination.Result) *destination.Failure {
	return &destination.Failure{Kind: r.Kind, Code: r.Code, Until: r.Until, Err: errors.New(r.Message)}
}

// resultOfError says what an error of a call means.
func resultOfError(err error, now time.Time, zone *time.Location) destination.Result {
	// First: it may wrap an answer that it explains.
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		return destination.Result{Kind: f.Kind, Code: f.Code, Until: f.Until, Message: f.Error()}
	}
	if e := asAPIError(err); e != nil {
		return resultOf(e.status, e.header, e.body, now, zone)
	}
	return destination.Result{Kind: destination.Retry, Code: codeNetwork, Message: "no answer from HubSpot: " + httpanswer.WithoutURL(err).Error()}
}

// resultOf says what a status means for the records of its request.
func resultOf(status int, header http.Header, body errorBody, now time.Time, zone *time.Location) destination.Result {
	r := destination.Result{Code: codeOf(status, body), Message: describe(status, body)}
	until, told := httpanswer.RetryAfter(header.Get("Retry-After"), now, maxWait)
	switch {
	case status == http.StatusTooManyRequests:
		r.Kind, r.Until = destination.Throttled, until
		if !told {
			r.Until = endOf(body.PolicyName, now, zone)
		}
	case status == statusMigrating, status == http.StatusServiceUnavailable && told:
		r.Kind, r.Until = destination.Throttled, until
		if !told {
			r.Until = now.Add(10 * time.Minute)
		}
	case status == http.StatusUnauthorized:
		r.Kind = destination.Misconfigured
		r.Message += ": set a valid token"
	case status == http.StatusForbidden:
		r.Kind = destination.Misconfigured
		if scopes := missingScopes(body); len(scopes) > 0 {
			r.Message += ": give the token the scopes " + strings.Join(scopes, ", ")
		}
	case status >= 300 && status < 400:
		r.Kind = destination.Misconfigured
		r.Message += ": redirects are not followed; set base_url to the address of the API"
	case status == http.StatusLocked:
		// HubSpot locks a record for two seconds.
		r.Kind, r.Until = destination.Retry, now.Add(2*time.Second)
	case status == http.StatusRequestTimeout, status >= 500, status < 200:
		r.Kind = destination.Retry
	default:
		r.Kind = destination.Rejected
	}
	return r
}

// endOf is when a limit without a Retry-After ends.
func endOf(policy string, now time.Time, zone *time.Location) time.Time {
	switch policy {
	case "SECONDLY":
		return now.Add(time.Second)
	case "DAILY":
		y, m, d := now.In(zone).Date()
		return time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	default:
		return now.Add(10 * time.Second)
	}
}

// codeOf is the most exact word that HubSpot has for the problem. It goes to
// logs, so what does not look like a word is not taken.
func codeOf(status int, body errorBody) string {
	for _, code := range []string{innerCode(body.Message), body.PolicyName, body.Category} {
		if code != "" && !strings.ContainsFunc(code, func(c rune) bool { return (c < 'A' || c > 'Z') && c != '_' }) && len(code) <= 60 {
			return code
		}
	}
	return fmt.Sprintf("http_%d", status)
}

// innerCode finds the error of a property, which HubSpot has as JSON within the
// message: …[{"isValid":false,"error":"PROPERTY_DOESNT_EXIST",…}].
func innerCode(message string) string {
	_, rest, _ := strings.Cut(message, `"error":"`)
	code, _, _ := strings.Cut(rest, `"`)
	return code
}

func describe(status int, body errorBody) string {
	text := "HubSpot answered"
	if status != 0 {
		text = strings.TrimSpace(fmt.Sprintf("HubSpot answered %d %s", status, http.StatusText(status)))
	}
	if message := quote(body.Message); message != "" {
		text += ": " + message
	}
	if id := quote(body.CorrelationID); id != "" && len(id) <= 64 {
		text += " (correlation id " + id + ")"
	}
	return text
}

func missingScopes(body errorBody) []string {
	var scopes []string
	for _, e := range append([]errorBody{body}, body.Errors...) {
		for _, name := range []string{"requiredGranularScopes", "requiredScopes"} {
			list, _ := e.Context[name].([]any)
			for _, s := range list {
				if text, ok := s.(string); ok {
					scopes = append(scopes, quote(text))
				}
			}
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

func quote(text string) string { return redact.Line(text, maxQuote) }

// rejected is the result for a record that cannot be sent.
func rejected(err error) destination.Result {
	return destination.Result{Kind: destination.Rejected, Code: codeInvalid, Message: err.Error()}
}
