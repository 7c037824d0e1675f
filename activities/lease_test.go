package activities

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

func TestMoreThanOneAttemptTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.MaxBatchRecords = 1
		b := newPipe(t, d)
		batch := b.book(attemptWrites + 3)
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) { return delivered(in), nil }
		_, err := b.attempt("d", batch.ID)
		if e := applicationError(t, err); e.Type() != FailureMore || len(b.w.sizes) != attemptWrites {
			t.Fatalf("%v after %d writes", err, len(b.w.sizes))
		}
		if _, err := b.attempt("d", batch.ID); err != nil || len(b.w.sizes) != attemptWrites+3 {
			t.Errorf("%v after %d writes", err, len(b.w.sizes))
		}
	})
}

// What another attempt has claimed is waited for, not written twice.
func TestClaimOfAnotherAttemptIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		batch := b.book(5)
		begun, release := make(chan struct{}), make(chan struct{})
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
			close(begun)
			<-release
			return delivered(in), nil
		}
		var wg sync.WaitGroup
		var first, second error
		wg.Go(func() { _, first = b.attempt("d", batch.ID) })
		<-begun
		wg.Go(func() { _, second = b.attempt("d", batch.ID) })
		time.Sleep(2 * claimedElsewhere) // it has looked in vain at least once
		close(release)
		wg.Wait()
		if first != nil || second != nil || len(b.w.sizes) != 1 {
			t.Errorf("%v, %v after %d writes, want one", first, second, len(b.w.sizes))
		}
	})
}

// A lease must outlast everything that is done under it, or a record could be
// written twice at a time.
func TestLeaseOutlastsItsClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.Timeout = 7 * time.Second
		b := newPipe(t, d)
		batch := b.book(1)
		claims := &keepRequest{Store: b.Ledger}
		b.a.store = claims
		b.w.write = func(ctx context.Context, in destination.Batch) ([]destination.Result, error) {
			end, ok := ctx.Deadline()
			if left := time.Until(end); !ok || left > d.Timeout {
				t.Errorf("a write has %v, want at most %v", left, d.Timeout)
			}
			return delivered(in), nil
		}
		if _, err := b.attempt("d", batch.ID); err != nil {
			t.Fatal(err)
		}
		if claims.in.Lease < d.claimTime()+leaseMargin || d.claimTime() < d.Timeout {
			t.Errorf("lease %v for %v of work", claims.in.Lease, d.claimTime())
		}
		if DeliverTimeout(d.Timeout) < attemptTime+d.claimTime()+leaseMargin {
			t.Errorf("an attempt that begins its last claim at %v is cut off at %v", attemptTime, DeliverTimeout(d.Timeout))
		}
	})
}

// An instance that stood still between a claim and its writes has lost the lease:
// another one may be writing.
func TestNothingIsWrittenUnderAnOldLease(t *testing.T) {
	d := quick
	d.Timeout = 7 * time.Second
	for name, tt := range map[string]struct {
		stood  time.Duration
		writes int
	}{
		"a slow claim":         {leaseMargin / 4, 1},
		"hardly any time left": {d.claimTime() + leaseMargin/2 - d.Timeout + time.Second, 0},
		"the lease is over":    {d.claimTime() + leaseMargin + time.Second, 0},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			b := newPipe(t, d)
			batch := b.book(1)
			asked := time.Now().Add(-tt.stood)
			claim, err := b.Claim(b.Context(), ledger.ClaimRequest{Destination: "d", Batch: batch.ID, Limit: 10, Lease: d.claimTime() + leaseMargin})
			if err != nil {
				t.Fatal(err)
			}
			b.w.write = func(ctx context.Context, in destination.Batch) ([]destination.Result, error) {
				if end, ok := ctx.Deadline(); !ok || end.After(asked.Add(d.claimTime()+leaseMargin)) {
					t.Errorf("a write may end %v after its claim was asked for", end.Sub(asked))
				}
				return delivered(in), nil
			}
			if _, err := b.a.deliverClaim(b.Context(), "d", b.a.settings(), d, claim, asked, false); err != nil && tt.writes > 0 {
				t.Fatal(err)
			}
			if len(b.w.sizes) != tt.writes || b.pending(batch.ID) != 1-tt.writes {
				t.Errorf("%d writes, %d wait, want %d writes", len(b.w.sizes), b.pending(batch.ID), tt.writes)
			}
		}))
	}
}

type keepRequest struct {
	Store
	in ledger.ClaimRequest
}

func (k *keepRequest) Claim(ctx context.Context, in ledger.ClaimRequest) (ledger.Claim, error) {
	k.in = in
	return k.Store.Claim(ctx, in)
}
