package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
)

// setupError is a finding of ours.
type setupError struct{ code, text string }

func (e *setupError) Error() string { return e.text }

// codes says what the codes of failed statements mean: whole ones first, then what
// they begin with. What is not listed may pass.
var codes = []struct {
	prefix string
	kind   sqlcore.FaultKind
}{
	{"000625", sqlcore.Clash}, // the statement was aborted for another transaction's lock
	{"002002", sqlcore.Clash}, // somebody made it first
	{"002003", sqlcore.Stale}, // no such object
	{"002043", sqlcore.Stale},
	{"000904", sqlcore.Stale}, // no such column
	{"002023", sqlcore.Stale}, // the column has another type
	{"000606", sqlcore.Setup}, // no warehouse
	{"003001", sqlcore.Setup}, // no right
	{"390", sqlcore.Setup},
	{"001", sqlcore.Setup}, // the statement is wrong
	{"002", sqlcore.Setup},
	{"090073", sqlcore.Busy},  // the budget of a resource monitor is used up
	{"100090", sqlcore.Setup}, // two rows of one key are in the table
	{"100", sqlcore.Bad},      // a value
}

const (
	shortWait = 30 * time.Second
	longWait  = 10 * time.Minute
)

// Fault implements [sqlcore.Database].
func (d *database) Fault(err error) sqlcore.Fault {
	if e, ok := errors.AsType[*setupError](err); ok {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: e.code}
	}
	if errors.Is(err, errHeld) {
		return sqlcore.Fault{Kind: sqlcore.Clash, Code: "ALTERED"}
	}
	if errors.Is(err, errTooLarge) {
		return sqlcore.Fault{Kind: sqlcore.Bad, Code: "TOO_LARGE"}
	}
	if e, ok := errors.AsType[*apiError](err); ok {
		return apiFault(e)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	return sqlcore.Fault{Code: "CONNECTION"}
}

func apiFault(e *apiError) sqlcore.Fault {
	until, told := httpanswer.RetryAfter(e.retryAfter, time.Now(), httpanswer.MaxWait)
	switch e.status {
	case http.StatusUnprocessableEntity:
		if strings.Contains(e.message, beingAltered) {
			return sqlcore.Fault{Kind: sqlcore.Clash, Code: "ALTERED"}
		}
		if strings.Contains(e.message, "annot drop") { // a policy or a clustering key uses the column
			return sqlcore.Fault{Kind: sqlcore.Refused, Code: e.code}
		}
		for _, c := range codes {
			if strings.HasPrefix(e.code, c.prefix) {
				if c.kind == sqlcore.Busy {
					return sqlcore.Fault{Kind: c.kind, Code: e.code, Until: time.Now().Add(longWait)}
				}
				return sqlcore.Fault{Kind: c.kind, Code: e.code}
			}
		}
		return sqlcore.Fault{Code: e.code}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		switch {
		case told:
			return sqlcore.Fault{Kind: sqlcore.Busy, Code: "HTTP_" + strconv.Itoa(e.status), Until: until}
		case e.status == http.StatusTooManyRequests:
			return sqlcore.Fault{Kind: sqlcore.Busy, Code: "HTTP_429", Until: time.Now().Add(shortWait)}
		}
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: "HTTP_" + strconv.Itoa(e.status)}
	case http.StatusRequestEntityTooLarge:
		return sqlcore.Fault{Kind: sqlcore.Bad, Code: "TOO_LARGE"}
	}
	return sqlcore.Fault{Code: "HTTP_" + strconv.Itoa(e.status)}
}
