package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

func TestThrottleAndMisconfigurationPause(t *testing.T) {
	until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	for name, tt := range map[string]struct {
		write func(context.Context, destination.Batch) ([]destination.Result, error)
		want  ledger.Pause
	}{
		"throttled": {answer(destination.Result{Kind: destination.Throttled, Code: "429", Message: "words", Until: until}),
			ledger.Pause{Reason: ledger.PauseThrottled, Message: "words", Until: until}},
		"throttled as a whole": {func(context.Context, destination.Batch) ([]destination.Result, error) {
			return nil, &destination.Failure{Kind: destination.Throttled, Code: "429", Until: until, Err: errors.New("words")}
		}, ledger.Pause{Reason: ledger.PauseThrottled, Message: "words", Until: until}},
		"misconfigured": {answer(destination.Result{Kind: destination.Misconfigured, Code: "401", Message: "words"}),
			ledger.Pause{Reason: ledger.PauseMisconfigured, Message: "words"}},
		"misconfigured as a whole": {func(context.Context, destination.Batch) ([]destination.Result, error) {
			return nil, fmt.Errorf("plugin: %w", &destination.Failure{Kind: destination.Misconfigured, Code: "401", Err: errors.New("words")})
		}, ledger.Pause{Reason: ledger.PauseMisconfigured, Message: "plugin: words"}},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := newPipe(t, quick)
			batch := b.book(2)
			b.w.write = tt.write
			_, err := b.attempt("d", batch.ID)
			e := applicationError(t, err)
			if e.Type() != FailurePaused || strings.Contains(err.Error(), "words") {
				t.Errorf("%v, want %s without the destination's words", err, FailurePaused)
			}
			pauses, err := b.Pauses(t.Context())
			if err != nil || len(pauses) != 1 {
				t.Fatalf("pauses: %+v, %v", pauses, err)
			}
			p := pauses[0]
			if p.Reason != tt.want.Reason || p.Message != tt.want.Message || !tt.want.Until.IsZero() && !p.Until.Equal(tt.want.Until) || p.Destination != "d" {
				t.Errorf("pause %+v, want %+v", p, tt.want)
			}
			// It is not a failure: no attempt is counted, nothing is given up.
			if b.pending(batch.ID) != 2 || len(b.letters()) != 0 {
				t.Errorf("%d wait, %d dead", b.pending(batch.ID), len(b.letters()))
			}
		}))
	}
}

func TestNothingIsWrittenToAPausedDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		batch := b.book(2)
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) { return delivered(in), nil }
		is := true
		b.a.pauses = func(string) (*ledger.Pause, []ledger.Pause) {
			if is {
				return &ledger.Pause{Reason: ledger.PauseOperator}, nil
			}
			return nil, nil
		}
		_, err := b.attempt("d", batch.ID)
		if e := applicationError(t, err); e.Type() != FailurePaused || len(b.w.sizes) != 0 {
			t.Fatalf("%v after writes of %v", err, b.w.sizes)
		}
		is = false
		if _, err := b.attempt("d", batch.ID); err != nil || len(b.w.sizes) != 1 {
			t.Errorf("%v after writes of %v", err, b.w.sizes)
		}
	})
}

func TestDestinationThatLeftTheConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		_, err := b.attempt("other", b.book(1).ID)
		if e := applicationError(t, err); e.Type() != FailureGone || e.NextRetryDelay() < time.Minute {
			t.Errorf("%v, again after %v", err, e.NextRetryDelay())
		}
	})
}

// A write that was refused its place has none, even if its moment came while it
// was being refused.
func TestRefusedByTheRateIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.WritesPerSecond = 1
		b := newPipe(t, d)
		b.a.pace = func(context.Context, string, float64, time.Duration) (time.Duration, bool, error) {
			return 0, false, nil
		}
		if wait := b.a.limit(t.Context(), "d", d, time.Now()); wait <= 0 {
			t.Errorf("it goes on, %v", wait)
		}
	})
}
