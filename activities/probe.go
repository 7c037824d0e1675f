package activities

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// checkTime bounds a destination's own check.
const checkTime = 30 * time.Second

// ErrNoCheck is what Options.Check returns for a destination that has no check
// of its own.
var ErrNoCheck = errors.New("the destination has no check")

// Prober tries destinations that are paused. It is apart from [Activities],
// whose methods are what Temporal may call.
type Prober struct{ a *Activities }

// NewProber returns one that writes as the activities do.
func NewProber(a *Activities) Prober { return Prober{a} }

// ProbeTime is how long a probe of the destination may take.
func (p Prober) ProbeTime(name string) time.Duration {
	return checkTime + p.a.settings().Destinations[name].claimTime() + leaseMargin
}

// Probe tries a paused destination: with its own check, if it has one, and then
// with one claim of what waits for it. It reports whether the destination takes
// what it gets. Nobody else writes to it meanwhile, and what a failed probe tried
// has not failed: the destination has.
func (p Prober) Probe(ctx context.Context, name string) (passed bool, err error) {
	a := p.a
	if err := a.checked(ctx, name); err != nil {
		return false, err
	}
	claim, _, v, err := a.claimAndDeliver(ctx, DeliverInput{Destination: name}, true)
	switch {
	case err != nil:
		return false, err
	case v.called:
		return v.pause == nil && !v.lost, nil
	case len(claim.Items) > 0: // its rate limit, or no time left
		return false, nil
	}
	// Nothing was ready. If something waits for its moment, it is what shows.
	states, err := a.store.DestinationStates(ctx)
	if err != nil {
		return false, fmt.Errorf("count deliveries to %s: %w", name, err)
	}
	for _, s := range states {
		if s.Destination == name && s.Waiting > 0 {
			return false, nil
		}
	}
	return true, nil
}

// checked runs the destination's own check. One that has none passes.
func (a *Activities) checked(ctx context.Context, name string) error {
	if a.check == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if err := a.check(ctx, name); err != nil && !errors.Is(err, ErrNoCheck) {
		return fmt.Errorf("check %s: %w", name, err)
	}
	return nil
}
