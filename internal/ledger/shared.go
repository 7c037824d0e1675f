package ledger

import (
	"context"
	"time"
)

// Shared is what a ledger offers besides that several instances may use at once:
// by it they agree on what must happen once, or only so often, over all of them.
// A ledger for one process has none of it.
type Shared interface {
	// Lead reports whether the task is this instance's for the given time. It is
	// until then nobody else's, however this instance fares.
	Lead(ctx context.Context, task string, hold time.Duration) (bool, error)
	// Pace reserves the next moment for a write to the destination, of so many in
	// a second over all instances, and returns how long it is until then. If that
	// is longer than patience, ok is false and nothing is reserved.
	Pace(ctx context.Context, destination string, perSecond float64, patience time.Duration) (wait time.Duration, ok bool, err error)
	// Progress tells how far a batch is: whether it is applied, and how many of
	// its deliveries wait, by destination.
	Progress(ctx context.Context, batch int64) (applied bool, waiting map[string]int, err error)
}
