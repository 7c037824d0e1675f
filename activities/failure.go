package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// notDueMost bounds the wait of an attempt whose deliveries are not due: what an
// operator resumes before its time shall not lie still until then.
const notDueMost = 30 * time.Minute

func notDue(name string, waiting int, due time.Time) error {
	wait := due.Sub(fault.Now())
	if due.IsZero() {
		wait = 0
	}
	return expected(FailureNotDue, fmt.Sprintf("%s: %d deliveries wait for their next attempt", name, waiting), min(wait, notDueMost))
}

// pausedDelay is short: the next attempt waits in a queue that nobody polls until
// the pause is over, and by then the pause has been noticed.
const pausedDelay = 500 * time.Millisecond

// paused is for an attempt that was on its way when its destination was paused.
func paused(name string, p ledger.Pause) error {
	return expected(FailurePaused, fmt.Sprintf("%s: paused (%s)", name, pauseText(p)), pausedDelay)
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
		return destination.Result{Kind: f.Kind, Code: f.Code, Message: err.Error(), Until: f.Until, Scope: f.Scope}
	}
	return destination.Result{Kind: destination.Retry, Code: "no_answer", Message: err.Error()}
}

// verdict sums up what the results of an attempt mean for the destination.
type verdict struct {
	called  bool          // at least one call was made
	stop    bool          // no use to go on now
	lost    bool          // the call itself failed
	wait    time.Duration // lost: until the next attempt
	limited time.Duration // the rate limit allows no write for so long
	code    string
	doubt   bool // calls fail, and one delivery was in all of them
	pause   *ledger.Pause
	parts   []ledger.Pause
}

// throttleWithoutEnd is the wait that a destination gets which asks to wait and
// does not say how long.
const throttleWithoutEnd = 10 * time.Second

// observe takes the results of a call with the batch; failed says that the call
// as a whole did, and all results are its error.
func (v *verdict) observe(b destination.Batch, results []destination.Result, failed bool) {
	v.called = true
	if failed && results[0].Scope == destination.ScopeDestination {
		v.stop, v.lost = true, true
	}
	for i := range results {
		r := &results[i]
		switch r.Kind {
		case destination.Throttled:
			v.code = r.Code
			if r.Until.IsZero() {
				r.Until = fault.Now().Add(throttleWithoutEnd)
			}
			if r.Scope != destination.ScopeDestination {
				v.throttlePart(string(r.Scope), partOf(string(r.Scope), b, b.Records[i]), *r)
				continue
			}
			v.stop = true
			reason := ledger.PauseThrottled
			if r.Code == destination.CodeRestarting {
				reason = ledger.PauseRestarting
			}
			if v.pause == nil || v.pause.Reason == reason && r.Until.After(v.pause.Until) {
				v.pause = &ledger.Pause{Reason: reason, Message: r.Message, Until: r.Until}
			}
		case destination.Misconfigured:
			v.stop, v.code = true, r.Code
			v.pause = &ledger.Pause{Reason: ledger.PauseMisconfigured, Message: r.Message, Until: fault.Now().Add(refusedFirst)}
		case destination.Retry, destination.Dependency:
			v.code = r.Code
		}
	}
}

func (v *verdict) throttlePart(scope, part string, r destination.Result) {
	for i := range v.parts {
		if p := &v.parts[i]; p.Scope == scope && p.Part == part {
			if r.Until.After(p.Until) {
				p.Until, p.Message = r.Until, r.Message
			}
			return
		}
	}
	v.parts = append(v.parts, ledger.Pause{Scope: scope, Part: part, Reason: ledger.PauseThrottled, Message: r.Message, Until: r.Until})
}

// down is the pause of a destination that is down.
func (d Destination) down(message string) *ledger.Pause {
	return &ledger.Pause{
		Reason: ledger.PauseDown, Message: "calls fail one after another: " + message,
		Until: fault.Now().Add(d.probeWait(0)),
	}
}

// pause books the pauses that an attempt ended with, and is loud about each one
// once: not for every attempt that was under way, and not for every probe.
func (a *Activities) pause(ctx context.Context, name string, v *verdict) error {
	whole, parts := a.pauses(name)
	for _, p := range v.parts {
		p.Destination, p.Since = name, fault.Now()
		if err := a.store.Pause(ctx, p); err != nil {
			return fmt.Errorf("pause %s %s of %s: %w", p.Scope, p.Part, name, err)
		}
		if !slices.ContainsFunc(parts, func(old ledger.Pause) bool { return old.Scope == p.Scope && old.Part == p.Part }) {
			a.log.Warn("part of a destination paused", "destination", name, "scope", p.Scope, "part", p.Part, "until", p.Until, "code", v.code)
		}
	}
	if v.pause == nil {
		return nil
	}
	if whole != nil && whole.Reason == ledger.PauseDown && v.pause.Reason == ledger.PauseRestarting {
		return nil // it is down because its plugin keeps dying: the end of one pause between lives is no good news
	}
	v.pause.Destination, v.pause.Since = name, fault.Now()
	if err := a.store.Pause(ctx, *v.pause); err != nil {
		return fmt.Errorf("pause %s: %w", name, err)
	}
	if whole != nil && whole.Reason == v.pause.Reason {
		return nil
	}
	log := a.log.Warn
	if v.pause.Probed() {
		log = a.log.Error
	}
	log("destination paused", "destination", name, "reason", v.pause.Reason, "code", v.code, "until", v.pause.Until,
		"details", "sluice destinations list")
	return nil
}

// failure is what Temporal is told: the code, and never the destination's own
// words, which may quote a record.
func (v *verdict) failure(name string) error {
	code := v.code
	if code == "" {
		code = "unclassified"
	}
	if v.pause != nil {
		// Nobody polls the queue until the pause is over, however it ends.
		return expected(FailurePaused, fmt.Sprintf("%s: paused (%s, code %s)", name, pauseText(*v.pause), code), pausedDelay)
	}
	if v.limited > 0 {
		return expected(FailureNotDue, name+": the rate limit allows no write now", v.limited)
	}
	// The policy's own wait grows with every attempt, those without a failure
	// too: after a drain of many attempts the first failure would wait longest.
	return temporal.NewApplicationErrorWithOptions(fmt.Sprintf("%s: the call failed (%s)", name, code), FailureRetry,
		temporal.ApplicationErrorOptions{NextRetryDelay: v.wait})
}

// pauseText says of a pause what may go to Temporal.
func pauseText(p ledger.Pause) string {
	switch {
	case p.Until.IsZero():
		return p.Reason
	case p.Probed():
		return p.Reason + ", probed from time to time"
	default:
		return p.Reason + " until " + p.Until.UTC().Format(time.RFC3339)
	}
}
