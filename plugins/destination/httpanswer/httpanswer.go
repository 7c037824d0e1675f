// Package httpanswer says what HTTP answers, and their absence, mean for the
// records of a request. It knows the protocol only; what an API says in its
// bodies is for the plugin to add.
package httpanswer

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

const (
	// MaxWait bounds what a system may ask for, so that a mistake in its header
	// does not stop deliveries for a year.
	MaxWait = 24 * time.Hour
	// ShortWait is how long to wait when a system throttles without saying until when.
	ShortWait = 5 * time.Second
)

// Result says what a status means for the records of its request. The message is
// without its subject, who answered, and without the body.
func Result(status int, header http.Header, now time.Time) destination.Result {
	if status >= 200 && status <= 299 {
		return destination.Result{Kind: destination.Delivered}
	}
	r := destination.Result{
		Code:    fmt.Sprintf("http_%d", status),
		Message: strings.TrimSpace(fmt.Sprintf("answered %d %s", status, http.StatusText(status))),
	}
	until, told := RetryAfter(header.Get("Retry-After"), now, MaxWait)
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && told:
		r.Kind, r.Until = destination.Throttled, until
		if !told {
			r.Until = now.Add(ShortWait)
		}
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		r.Kind = destination.Misconfigured
	case IsRedirect(status):
		r.Kind = destination.Misconfigured
		r.Message += ": redirects are not followed; set the address that takes the requests"
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= 500, status < 200:
		r.Kind = destination.Retry
	default:
		r.Kind = destination.Rejected
	}
	return r
}

// IsRedirect reports whether the status names another address. A client that
// follows would send records and credentials to somebody whom nobody chose: set
// http.Client.CheckRedirect to [Stay].
func IsRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// Stay is a CheckRedirect that follows none.
func Stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// RefusesContents reports whether a status blames what is in a request, so that a
// part of a batch may be taken.
func RefusesContents(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity
}

// RetryAfter reads a Retry-After header: seconds or an HTTP date, at most so far
// away. ok is false when there is none that can be read.
func RetryAfter(header string, now time.Time, most time.Duration) (until time.Time, ok bool) {
	header = strings.TrimSpace(header)
	if header == "" {
		return time.Time{}, false
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 64)
		if err != nil || seconds > int64(most/time.Second) {
			return now.Add(most), true // all digits: only too large
		}
		return now.Add(time.Duration(seconds) * time.Second), true
	}
	until, err := http.ParseTime(header)
	if err != nil {
		return time.Time{}, false
	}
	if until.Before(now) {
		until = now
	}
	if latest := now.Add(most); until.After(latest) {
		until = latest
	}
	return until, true
}
