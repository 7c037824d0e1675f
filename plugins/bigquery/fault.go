package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/bigquery"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
	"github.com/sluicehq/sluice/plugins/internal/sqlcore"
	"google.golang.org/api/googleapi"
)

// setupError is a finding of ours.
type setupError struct{ code, text string }

func (e *setupError) Error() string { return e.text }

// reasons says what the reasons of errors mean; invalidQuery is told by its words.
// What is not listed may pass.
var reasons = map[string]sqlcore.FaultKind{
	"rateLimitExceeded":        sqlcore.Busy,
	"jobRateLimitExceeded":     sqlcore.Busy,
	"quotaExceeded":            sqlcore.Busy,
	"accessDenied":             sqlcore.Setup,
	"authError":                sqlcore.Setup,
	"required":                 sqlcore.Setup,
	"billingNotEnabled":        sqlcore.Setup,
	"billingTierLimitExceeded": sqlcore.Setup,
	"blocked":                  sqlcore.Setup,
	"notFound":                 sqlcore.Stale,
	"duplicate":                sqlcore.Clash,
}

// words say what is wrong with a query. The first that is in the message counts.
var words = []struct {
	text string
	kind sqlcore.FaultKind
}{
	{"aborted due to concurrent update", sqlcore.Clash},
	{"Could not serialize access", sqlcore.Clash},
	{beingAltered, sqlcore.Clash},
	{"Already Exists", sqlcore.Clash},
	{"Column already exists", sqlcore.Clash},
	{"Unrecognized name", sqlcore.Stale},
	{"not found inside", sqlcore.Stale},
	{"is not present in table", sqlcore.Stale},
	{"Column not found", sqlcore.Stale},
	{"has type", sqlcore.Stale}, // Value of type X cannot be assigned to column, which has type Y
	{"Not found", sqlcore.Stale},
	{"view", sqlcore.Refused},
	{"too many columns", sqlcore.Refused},
	{"Bad ", sqlcore.Bad},
	{"Invalid ", sqlcore.Bad},
	{"Could not cast", sqlcore.Bad},
	{"out of range", sqlcore.Bad},
	{"overflow", sqlcore.Bad},
	{"too large", sqlcore.Bad},
	{"maximum length", sqlcore.Bad},
}

// waits are how long a warehouse that asks to wait is left alone where it does
// not say.
var waits = map[string]time.Duration{"quotaExceeded": 10 * time.Minute}

const shortWait = 30 * time.Second

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
	if e, ok := errors.AsType[*auth.Error](err); ok {
		if e.Response != nil && e.Response.StatusCode/100 == 4 && e.Response.StatusCode != http.StatusTooManyRequests {
			return sqlcore.Fault{Kind: sqlcore.Setup, Code: "CREDENTIALS"}
		}
		return sqlcore.Fault{Code: "TOKEN"}
	}
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		return apiFault(e)
	}
	if e, ok := errors.AsType[*bigquery.Error](err); ok {
		return reasonFault(e.Reason, e.Message)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return sqlcore.Fault{Code: "CANCELLED"}
	}
	return sqlcore.Fault{Code: "CONNECTION"}
}

func apiFault(e *googleapi.Error) sqlcore.Fault {
	code := "HTTP_" + strconv.Itoa(e.Code)
	until, told := httpanswer.RetryAfter(e.Header.Get("Retry-After"), time.Now(), httpanswer.MaxWait)
	switch e.Code {
	case http.StatusUnauthorized:
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: "HTTP_401"}
	case http.StatusRequestEntityTooLarge:
		return sqlcore.Fault{Kind: sqlcore.Bad, Code: "TOO_LARGE"}
	case http.StatusTooManyRequests:
		if told {
			return sqlcore.Fault{Kind: sqlcore.Busy, Code: "rateLimitExceeded", Until: until}
		}
		return busy("rateLimitExceeded")
	case http.StatusServiceUnavailable:
		if told {
			return sqlcore.Fault{Kind: sqlcore.Busy, Code: code, Until: until}
		}
	}
	if len(e.Errors) > 0 && e.Errors[0].Reason != "" {
		if e.Errors[0].Reason == "notFound" && strings.Contains(e.Message, "Project") {
			return sqlcore.Fault{Kind: sqlcore.Setup, Code: "notFound"}
		}
		return reasonFault(e.Errors[0].Reason, e.Message)
	}
	if e.Code == http.StatusForbidden {
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: code}
	}
	return sqlcore.Fault{Code: code}
}

func reasonFault(reason, message string) sqlcore.Fault {
	switch kind, ok := reasons[reason]; {
	case ok && kind == sqlcore.Busy:
		return busy(reason)
	case ok:
		return sqlcore.Fault{Kind: kind, Code: reason}
	case reason == "invalidQuery" || reason == "invalid":
		for _, w := range words {
			if strings.Contains(message, w.text) {
				return sqlcore.Fault{Kind: w.kind, Code: reason}
			}
		}
		return sqlcore.Fault{Kind: sqlcore.Setup, Code: reason}
	}
	return sqlcore.Fault{Code: reason}
}

func busy(reason string) sqlcore.Fault {
	wait, ok := waits[reason]
	if !ok {
		wait = shortWait
	}
	return sqlcore.Fault{Kind: sqlcore.Busy, Code: reason, Until: time.Now().Add(wait)}
}
