package activities

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// Types of failures in Temporal. Stored; never rename.
const (
	FailureRetry     = "retry"   // a destination failed; tried again by the policy
	FailureNotDue    = "not_due" // deliveries wait for their moment
	FailurePaused    = "paused"  // the destination asked to wait, or its settings must change
	FailureMore      = "more"    // there is more to do; called again at once
	FailureGone      = "gone"    // the destination left the configuration
	minimumNextDelay = 20 * time.Millisecond
)

// expected returns an error that makes Temporal call again after a while without
// counting or logging it as a failure.
func expected(failure, message string, after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, failure, temporal.ApplicationErrorOptions{
		NextRetryDelay: max(after, minimumNextDelay),
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

func notDue(name string, waiting int, due time.Time) error {
	wait := due.Sub(fault.Now())
	if due.IsZero() {
		wait = 0
	}
	return expected(FailureNotDue, fmt.Sprintf("%s: %d deliveries wait for their next attempt", name, waiting), wait)
}

// paused is for an attempt that was on its way when its destination was paused.
// It waits in a queue that nobody polls until the pause is over.
func paused(name string) error {
	return expected(FailurePaused, name+": paused", 500*time.Millisecond)
}

func more(name string) error {
	return expected(FailureMore, name+": more is waiting", 0)
}

func gone(name string) error {
	return expected(FailureGone, fmt.Sprintf("destination %q is not in the configuration any more", name), 5*time.Minute)
}

// resultOf says what a failed call means for each record of its batch. The
// message is for the ledger only: it may quote the destination.
func resultOf(err error) destination.Result {
	if f, ok := errors.AsType[*destination.Failure](err); ok {
		return destination.Result{Kind: f.Kind, Code: f.Code, Message: err.Error(), Until: f.Until}
	}
	return destination.Result{Kind: destination.Retry, Code: "no_answer", Message: err.Error()}
}

// verdict sums up what the results of an attempt mean for the destination.
type verdict struct {
	stop    bool          // no use to go on now
	lost    bool          // the call itself failed
	wait    time.Duration // lost: until the next attempt
	limited time.Duration // the rate limit allows no write for so long
	code    string
	pause   *ledger.Pause
}

func (v *verdict) observe(results []destination.Result, err error) {
	if err != nil {
		results = []destination.Result{resultOf(err)}
		v.stop, v.lost = true, true
	}
	for _, r := range results {
		switch r.Kind {
		case destination.Throttled:
			v.stop, v.code = true, r.Code
			until := r.Until
			if until.IsZero() {
				until = fault.Now().Add(10 * time.Second)
			}
			if v.pause == nil || v.pause.Reason == ledger.PauseThrottled && until.After(v.pause.Until) {
				v.pause = &ledger.Pause{Reason: ledger.PauseThrottled, Message: r.Message, Until: until}
			}
		case destination.Misconfigured:
			v.stop, v.code = true, r.Code
			v.pause = &ledger.Pause{Reason: ledger.PauseMisconfigured, Message: r.Message}
		case destination.Retry, destination.Dependency:
			v.code = r.Code
		}
	}
}

// failure is what Temporal is told: the code, and never the destination's own
// words, which may quote a record.
func (v *verdict) failure(name string) error {
	code := v.code
	if code == "" {
		code = "unclassified"
	}
	if v.pause != nil {
		wait := 5 * time.Second
		if !v.pause.Until.IsZero() {
			wait = v.pause.Until.Sub(fault.Now())
		}
		return expected(FailurePaused, fmt.Sprintf("%s: paused (%s, %s)", name, v.pause.Reason, code), wait)
	}
	if v.limited > 0 {
		return expected(FailureNotDue, name+": the rate limit allows no write now", v.limited)
	}
	// The policy's own wait grows with every attempt, those without a failure
	// too: after a drain of many attempts the first failure would wait longest.
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%s: the call failed (%s)", name, code), FailureRetry,
		temporal.ApplicationErrorOptions{NextRetryDelay: v.wait})
}
