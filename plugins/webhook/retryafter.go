package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxWait bounds what an endpoint may ask for, so that a mistake in its header
// does not stop deliveries for a year.
const maxWait = 24 * time.Hour

// retryAfter reads a Retry-After header: seconds or an HTTP date. ok is false
// when there is none that can be read.
func retryAfter(header string, now time.Time) (until time.Time, ok bool) {
	header = strings.TrimSpace(header)
	if header == "" {
		return time.Time{}, false
	}
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 64)
		if err != nil || seconds > int64(maxWait/time.Second) {
			return now.Add(maxWait), true // all digits: only too large
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
	if until.After(now.Add(maxWait)) {
		until = now.Add(maxWait)
	}
	return until, true
}
