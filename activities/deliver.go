package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/sluicehq/sluice/internal/fault"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

// Bounds of one attempt. An attempt works through what is waiting for its
// destination, so it may take many writes; past attemptWrites or attemptTime it
// makes room for others, and Temporal calls again at once.
const (
	attemptWrites    = 50
	attemptTime      = 5 * time.Minute
	heartbeatEvery   = 4 * time.Second
	leaseMargin      = 30 * time.Second
	claimedElsewhere = 250 * time.Millisecond // how long to wait for a claim of somebody else
)

// DeliverTimeout is the StartToClose timeout of one attempt, given the timeout
// of one write. The last claim of an attempt begins before attemptTime is over.
func DeliverTimeout(write time.Duration) time.Duration {
	return 3*write + 10*time.Minute
}

// claimTime is how long everything about one claim may take but its booking: a
// write that begins has its whole time.
func (d Destination) claimTime() time.Duration { return 2 * d.Timeout }

// DeliverInput names what to deliver. Stored; only add fields.
type DeliverInput struct {
	Batch       int64  `json:"batch"`
	Destination string `json:"destination"`
}

// DeliverResult counts what did not arrive. Stored; only add fields.
type DeliverResult struct {
	Dead int `json:"dead"` // deliveries of this batch that were given up
}

// Deliver writes what waits for the destination, this batch's deliveries first,
// until none of this batch's is left. What others wait for goes along in the
// same writes: the first attempt after an outage drains in full batches, and
// the others find theirs done.
func (a *Activities) Deliver(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	wrote := false
	defer func() { a.passes.Attempted(in.Batch, in.Destination, wrote) }()
	stop := beat(ctx)
	defer stop()

	stopping := activity.GetWorkerStopChannel(ctx)
	began := time.Now()
	for range attemptWrites {
		if time.Since(began) > attemptTime {
			break
		}
		select {
		case <-stopping: // this process is being stopped: another attempt goes on
			return DeliverResult{}, more(in.Destination)
		default:
		}
		if whole, _ := a.pauses(in.Destination); whole != nil {
			return DeliverResult{}, paused(in.Destination, *whole)
		}
		claim, settled, verdict, err := a.claimAndDeliver(ctx, in, false)
		if err != nil {
			return DeliverResult{}, err
		}
		wrote = wrote || len(claim.Items) > 0 || claim.OwnLeft == 0
		if len(claim.Items) == 0 {
			if claim.OwnLeft == 0 {
				return a.result(ctx, in)
			}
			if claim.OwnLeased == claim.OwnLeft {
				if err := wait(ctx, settled, claimedElsewhere); err != nil {
					return DeliverResult{}, err
				}
				continue
			}
			return DeliverResult{}, notDue(in.Destination, claim.OwnLeft, claim.NextDue)
		}

		if verdict.stop {
			return DeliverResult{}, verdict.failure(in.Destination)
		}
	}
	return DeliverResult{}, more(in.Destination)
}

// claimAndDeliver makes one claim and writes it, all under one configuration: the
// gate keeps a change of the destination out meanwhile. settled is closed when
// another attempt's claim is settled. A probe is a claim of a destination that is
// paused.
func (a *Activities) claimAndDeliver(ctx context.Context, in DeliverInput, probe bool) (claim ledger.Claim, settled <-chan struct{}, v verdict, err error) {
	leave, err := a.gates.enter(ctx, in.Destination)
	if err != nil {
		return claim, nil, v, err
	}
	defer leave()
	settings := a.settings()
	d, ok := settings.Destinations[in.Destination]
	if !ok {
		return claim, nil, v, gone(in.Destination)
	}
	flow := a.flows.get(in.Destination)
	settled = flow.settled()
	look := !flow.gathered(d) && !probe // the one call that a circuit lets through is not to be missed
	asked := time.Now()
	claim, err = a.store.Claim(ctx, ledger.ClaimRequest{
		Destination: in.Destination,
		Batch:       in.Batch,
		Limit:       d.MaxBatchRecords,
		MaxBytes:    d.MaxBatchBytes,
		Lease:       d.claimTime() + leaseMargin,
		Look:        look,
	})
	if err != nil {
		return claim, nil, v, fmt.Errorf("claim deliveries to %s: %w", in.Destination, err)
	}
	if look {
		if until := flow.gather(d, claim); claim.NextDue.Before(until) {
			claim.NextDue = until
		}
		return claim, settled, v, nil
	}
	if !probe {
		flow.claimed(d, claim)
	}
	if len(claim.Items) == 0 {
		return claim, settled, v, nil
	}
	v, err = a.deliverClaim(ctx, in.Destination, settings, d, claim, asked, probe)
	flow.signal()
	return claim, settled, v, err
}

// deliverClaim writes what was claimed, object by object, and books each result.
func (a *Activities) deliverClaim(ctx context.Context, name string, settings *Settings, d Destination, claim ledger.Claim, asked time.Time, probe bool) (verdict, error) {
	// Everything of this claim must be over before its lease is. That began at
	// some moment after the claim was asked for: the answer may have been long on
	// its way, or this process may have stood still.
	end := time.Now().Add(d.claimTime())
	if latest := asked.Add(d.claimTime() + leaseMargin/2); end.After(latest) {
		end = latest
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var v verdict
	outcomes, failed := a.writeGroups(ctx, &writing{
		a: a, name: name, d: d, settings: settings, token: claim.Token, verdict: &v,
		lastBegin: end.Add(-d.Timeout), probe: probe,
	}, settings, claim)

	fault.Point(fault.AfterWrite)
	// The results must be booked even when the attempt is being cancelled: the
	// destination has the data.
	settleCtx, cancelSettle := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancelSettle()
	if err := a.store.Settle(settleCtx, claim.Token, outcomes); err != nil {
		return v, fmt.Errorf("book deliveries to %s: %w", name, err)
	}
	if failed != nil {
		return v, fmt.Errorf("deliver to %s: %w", name, failed)
	}
	if v.doubt && v.pause == nil {
		if err := a.checked(settleCtx, name); err != nil {
			v.stop, v.pause = true, d.down(err.Error())
		}
	}
	return v, a.pause(settleCtx, name, &v)
}

// writeGroups writes what was claimed and returns the outcomes; what has none is
// waiting again. An error is one of the ledger.
func (a *Activities) writeGroups(ctx context.Context, w *writing, settings *Settings, claim ledger.Claim) ([]ledger.Outcome, error) {
	groups, outcomes, err := a.batches(ctx, settings, claim.Items)
	if err != nil {
		return nil, err
	}
	there, err := a.arrived(ctx, w.name, groups)
	if err != nil {
		return outcomes, err
	}
	for _, g := range groups {
		g, held := a.hold(w.name, w.d, g, there)
		outcomes = append(outcomes, held...)
		if len(g.parts) == 0 {
			continue
		}
		fates, ok, err := w.group(ctx, g)
		if err != nil || !ok {
			return outcomes, err
		}
		for i, p := range g.parts {
			if fates[i].rank() == 0 && p.item.Record != nil {
				there[p.item.Record.Key] = true
			}
		}
		outcomes = append(outcomes, a.book(w, g, fates)...)
		if w.verdict.stop {
			break
		}
	}
	return outcomes, nil
}

func (a *Activities) write(ctx context.Context, name string, d Destination, b destination.Batch) ([]destination.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	return a.writer.Write(ctx, name, b)
}

// book turns fates into outcomes.
func (a *Activities) book(w *writing, g group, fates []fate) []ledger.Outcome {
	name, d, now := w.name, w.d, fault.Now()
	out := make([]ledger.Outcome, 0, len(g.parts))
	for i, p := range g.parts {
		item, r := p.item, fates[i].result
		if fates[i].none {
			continue
		}
		o := ledger.Outcome{
			DeliveryID: item.ID, Version: g.batch.Records[i].Version,
			ErrorKind: r.Kind.String(), Code: r.Code, Message: r.Message,
			// Only of a call that gave no answer may one record be the cause for all;
			// one that was alone with that already stays so.
			Lost: fates[i].lost && (len(g.parts) > 1 || item.Suspect > 0),
		}
		// While the destination is down nothing is given up.
		isDown := w.verdict.pause != nil && w.verdict.pause.Reason == ledger.PauseDown
		exhausted := !isDown && !item.FirstFail.IsZero() && now.Sub(item.FirstFail) >= d.MaxElapsed
		switch r.Kind {
		case destination.Delivered:
			o.Result, o.ErrorKind, o.Code, o.Message = ledger.OutcomeDelivered, "", "", ""
			o.Children = p.output.Now
		case destination.Rejected:
			o.Result = ledger.OutcomeDead
		case destination.Throttled:
			o.Result = ledger.OutcomeWait
			if r.Scope != destination.ScopeDestination { // else the pause of the destination holds it
				o.RetryAt, o.Held = r.Until, true
			}
		case destination.Misconfigured:
			o.Result = ledger.OutcomeWait
		case destination.Dependency:
			o.RetryAt, o.Seen = r.Until, true
			out = append(out, a.blocked(name, d, item, p.parents, o))
			continue
		default: // Retry
			o.Result, o.RetryAt = ledger.OutcomeRetry, now.Add(d.backoff(item.Attempts))
			if r.Until.After(o.RetryAt) {
				o.RetryAt = r.Until
			}
			switch {
			case exhausted:
				o.Result, o.ErrorKind = ledger.OutcomeDead, "exhausted"
			case isDown:
				// The next probe is for others, in case that it was one of these. Of a
				// call without an answer that is still to be found out.
				o.RetryAt = now.Add(2 * d.probeWait(w.down(now)))
				if !o.Lost {
					o.Result = ledger.OutcomeWait
				}
			}
		}
		a.settled(name, item, o)
		out = append(out, o)
	}
	return out
}

// backoff is the wait after the given number of earlier failures.
func (d Destination) backoff(failures int) time.Duration {
	wait := float64(d.InitialInterval)
	for range min(failures, 64) {
		if wait *= d.Coefficient; wait >= float64(d.MaxInterval) {
			return d.MaxInterval
		}
	}
	return min(time.Duration(wait), d.MaxInterval)
}

func (a *Activities) result(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	dead, err := a.store.Dead(ctx, in.Batch, in.Destination)
	if err != nil {
		return DeliverResult{}, fmt.Errorf("count dead letters of batch %d: %w", in.Batch, err)
	}
	return DeliverResult{Dead: dead}, nil
}

// beat tells Temporal that the attempt is alive, so that the death of this
// process is noticed soon whatever the destination's timeout is.
func beat(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		t := time.NewTicker(heartbeatEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				activity.RecordHeartbeat(ctx)
			case <-done:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { close(done); <-finished }
}

func wait(ctx context.Context, settled <-chan struct{}, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-settled:
		return nil
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
