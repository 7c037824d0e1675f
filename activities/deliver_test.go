package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/sdk/temporal"
	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
	"github.com/sluicehq/sluice/plugins/destination"
)

func (b *pipe) attempt(name string, batch int64) (DeliverResult, error) {
	got, err := b.env.ExecuteActivity(b.a.Deliver, DeliverInput{Batch: batch, Destination: name})
	if err != nil {
		return DeliverResult{}, err
	}
	var out DeliverResult
	return out, got.Get(&out)
}

// deliverTo calls until the activity succeeds or the attempts are over.
func (b *pipe) deliverTo(name string, batch int64, attempts int) (err error) {
	for range attempts {
		if _, err = b.attempt(name, batch); err == nil {
			return nil
		}
		if e, ok := errors.AsType[*temporal.ApplicationError](err); ok {
			time.Sleep(min(e.NextRetryDelay(), 50*time.Millisecond))
		}
	}
	return err
}

// answer writes nothing and gives every record the same result.
func answer(r destination.Result) func(context.Context, destination.Batch) ([]destination.Result, error) {
	return func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
		out := make([]destination.Result, len(batch.Records))
		for i := range out {
			out[i] = r
		}
		return out, nil
	}
}

func (b *pipe) letters() []ledger.DeadLetter {
	b.Helper()
	list, err := b.ListDeadLetters(b.Context(), ledger.DeadLetterFilter{Limit: 1000})
	if err != nil {
		b.Fatal(err)
	}
	return list
}

func TestBatchesHaveOneObjectAndMode(t *testing.T) {
	b := routed(t, []string{"d"},
		config.Route{Name: "records", To: []string{"d"}},
		config.Route{Name: "changes", Events: []string{"*"}, Mode: "changes", Mapping: config.Mapping{Object: "trail"}, Models: []string{"BILLS"}, To: []string{"d"}})
	items := bills(`[{"id":"9","a":1}]`)
	items.Model = "ITEMS"
	batch := b.take(bills(`[{"id":"1","a":1},{"id":"2","a":1.10}]`), items, event.Event{Kind: event.KindSyncCompleted, Body: []byte(`{"x":1.10}`)})
	b.apply(batch.ID)
	got := make(map[string]destination.Batch)
	b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
		k := fmt.Sprint(batch.Mode, " ", batch.Object)
		if _, twice := got[k]; twice {
			t.Errorf("two writes to %s", k)
		}
		got[k] = batch
		return delivered(batch), nil
	}
	if _, err := b.attempt("d", batch.ID); err != nil {
		t.Fatal(err)
	}
	for k, n := range map[string]int{"records bills": 2, "records items": 1, "changes trail": 2, "events trail": 1} {
		if len(got[k].Records) != n {
			t.Errorf("%s: %d records, want %d (of %v)", k, len(got[k].Records), n, got)
		}
	}
	if v := string(got["records bills"].Records[1].Fields["a"]); v != "1.10" {
		t.Errorf("a number became %s", v)
	}
	if v := string(got["events trail"].Records[0].Fields["x"]); v != "1.10" {
		t.Errorf("a number became %s", v)
	}
}

// The first attempt takes along what others wait for.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		first, second, third := b.book(3), b.book(4), b.book(5)
		b.w.write = func(_ context.Context, batch destination.Batch) ([]destination.Result, error) {
			return delivered(batch), nil
		}
		for _, batch := range []ledger.Batch{second, first, third} {
			if _, err := b.attempt("d", batch.ID); err != nil {
				t.Fatal(err)
			}
		}
		if len(b.w.sizes) != 1 || b.w.sizes[0] != 12 {
			t.Errorf("writes of %v records, want one of 12", b.w.sizes)
		}
	})
}

func TestEachRecordHasItsOwnResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		batch := b.book(4)
		failing := true
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
			out := delivered(in)
			for i, r := range in.Records {
				switch r.Key[2][strings.Index(r.Key[2], "-"):] {
				case "-1":
					out[i] = destination.Result{Kind: destination.Rejected, Code: "BAD", Message: "secret contents"}
				case "-2":
					if failing {
						out[i] = destination.Result{Kind: destination.Retry, Code: "LATER", Message: "secret contents"}
					}
				case "-3":
					if failing {
						out[i] = destination.Result{Kind: destination.Dependency, Code: "PARENT", Message: "secret contents"}
					}
				}
			}
			return out, nil
		}
		_, err := b.attempt("d", batch.ID)
		e := applicationError(t, err)
		if e.Type() != FailureNotDue || b.pending(batch.ID) != 2 || len(b.letters()) != 1 {
			t.Fatalf("%v; %d wait, %d dead, want 2 and 1", err, b.pending(batch.ID), len(b.letters()))
		}
		failing = false
		if err := b.deliverTo("d", batch.ID, 20); err != nil {
			t.Fatal(err)
		}
		got, err := b.attempt("d", batch.ID)
		if err != nil || got.Dead != 1 {
			t.Errorf("%+v, %v, want one dead", got, err)
		}
		if l := b.letters(); len(l) != 1 || l[0].Code != "BAD" || l[0].Message != "secret contents" || l[0].ErrorKind != "rejected" {
			t.Errorf("dead letters: %+v", l)
		}
	})
}

// One record breaks every call that it is in. The others get through, and it is
// given up alone once its time is over.
func TestPoisonRecordIsFoundAndGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.MaxElapsed = 3 * time.Second // enough to find it on a slow machine
		b := newPipe(t, d)
		batch := b.book(40)
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
			for _, r := range in.Records {
				if strings.HasSuffix(r.Key[2], "-17") {
					return nil, errors.New("the process died at value 4711")
				}
			}
			return delivered(in), nil
		}
		var err error
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			if err = b.deliverTo("d", batch.ID, 1); err == nil {
				break
			}
			if strings.Contains(err.Error(), "value 4711") {
				t.Fatalf("a value reached Temporal: %v", err)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		l := b.letters()
		if len(l) != 1 || !strings.HasSuffix(l[0].Key.PlatformID, "-17") || l[0].ErrorKind != "exhausted" || !strings.Contains(l[0].Message, "4711") {
			t.Errorf("dead letters: %+v", l)
		}
	})
}

func TestExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := quick
		d.MaxElapsed = 30 * time.Millisecond
		b := newPipe(t, d)
		batch := b.book(1)
		b.w.write = answer(destination.Result{Kind: destination.Retry, Code: "DOWN"})
		if err := b.deliverTo("d", batch.ID, 200); err != nil {
			t.Fatal(err)
		}
		got, err := b.attempt("d", batch.ID)
		if err != nil || got.Dead != 1 {
			t.Errorf("%+v, %v, want one dead", got, err)
		}
		for _, l := range b.letters() {
			if l.ErrorKind != "exhausted" || l.Code != "DOWN" || l.Attempts < 2 {
				t.Errorf("dead letter %+v", l)
			}
		}
	})
}

// The destination has the data even if nobody waits for the answer any more.
func TestResultsAfterCancellationAreBooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newPipe(t, quick)
		batch := b.book(2)
		ctx, cancel := context.WithCancel(t.Context())
		d := b.a.settings().Destinations["d"]
		claim, err := b.Claim(ctx, ledger.ClaimRequest{Destination: "d", Batch: batch.ID, Limit: 10, Lease: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
			cancel()
			return delivered(in), nil
		}
		if _, err := b.a.deliverClaim(ctx, "d", b.a.settings(), d, claim, time.Now(), false); err != nil {
			t.Fatal(err)
		}
		if n := b.pending(batch.ID); n != 0 {
			t.Errorf("%d wait after they were written", n)
		}
	})
}

func TestBackoff(t *testing.T) {
	d := Destination{InitialInterval: time.Second, Coefficient: 2, MaxInterval: time.Minute}
	for failures, want := range map[int]time.Duration{
		0: time.Second, 1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 6: time.Minute, 7: time.Minute, 1 << 30: time.Minute,
	} {
		if got := d.backoff(failures); got != want {
			t.Errorf("after %d failures: %v, want %v", failures, got, want)
		}
	}
	flat := Destination{InitialInterval: 3 * time.Second, Coefficient: 1, MaxInterval: time.Minute}
	if got := flat.backoff(1000); got != 3*time.Second {
		t.Errorf("coefficient 1: %v", got)
	}
	above := Destination{InitialInterval: time.Hour, Coefficient: 2, MaxInterval: time.Minute}
	if got := above.backoff(0); got != time.Minute {
		t.Errorf("first interval above the largest: %v", got)
	}
}

// Whatever a destination answers, every delivery is settled in the end, a
// destination never sees an older version after a newer one, and what it says is
// told to nobody but the ledger.
func TestEveryDeliveryIsSettled(t *testing.T) {
	b := routed(t, []string{"d"}, config.Route{Name: "records", To: []string{"d"}})
	company := 0
	rapid.Check(t, func(rt *rapid.T) {
		company++ // with records of its own
		d := quick
		d.MaxBatchRecords = rapid.IntRange(1, 8).Draw(rt, "max batch")
		d.InitialInterval, d.MaxInterval = time.Millisecond, 2*time.Millisecond
		b.a.settings().Destinations["d"] = d
		script := rapid.SliceOfN(rapid.IntRange(0, 7), 0, 60).Draw(rt, "script")
		seen := make(map[string]int64) // what the destination has
		next := func() int {
			if len(script) == 0 {
				return 0
			}
			n := script[0]
			script = script[1:]
			return n
		}
		const secret = "s3cret"
		b.w.write = func(_ context.Context, in destination.Batch) ([]destination.Result, error) {
			out := delivered(in)
			lost := false
			for i, r := range in.Records {
				kind := next()
				switch kind {
				case 1:
					out[i] = destination.Result{Kind: destination.Retry, Message: secret}
				case 2:
					out[i] = destination.Result{Kind: destination.Rejected, Code: "NO", Message: secret}
				case 3:
					out[i] = destination.Result{Kind: destination.Dependency, Message: secret}
				case 4:
					out[i] = destination.Result{Kind: destination.Throttled, Until: time.Now(), Message: secret}
				case 5:
					out[i] = destination.Result{Kind: destination.Misconfigured, Message: secret}
				case 6:
					lost = true
				}
				if kind == 0 || kind > 5 { // written, even if the answer is lost
					if r.Version < seen[r.Key[2]] {
						rt.Errorf("record %s went from version %d back to %d", r.Key[2], seen[r.Key[2]], r.Version)
					}
					seen[r.Key[2]] = r.Version
				}
			}
			if lost {
				return nil, errors.New("lost " + secret)
			}
			return out, nil
		}
		var batches []int64
		for i := range rapid.IntRange(1, 4).Draw(rt, "batches") {
			var body []string
			for range rapid.IntRange(1, 8).Draw(rt, "changes") {
				body = append(body, fmt.Sprintf(`{"id":"%d","a":%d}`, rapid.IntRange(0, 5).Draw(rt, "id"), i))
			}
			ev := bills("[" + strings.Join(body, ",") + "]")
			ev.CompanyID = fmt.Sprint(company)
			batch := b.take(ev)
			b.apply(batch.ID)
			batches = append(batches, batch.ID)
			if rapid.Bool().Draw(rt, "at once") {
				_, _ = b.attempt("d", batch.ID)
			}
		}
		for _, batch := range batches {
			for n := 0; ; n++ {
				_, err := b.attempt("d", batch)
				if err == nil {
					break
				}
				if strings.Contains(err.Error(), secret) {
					rt.Fatalf("told to Temporal: %v", err)
				}
				if n > 300 {
					rt.Fatalf("batch %d is not settled: %v", batch, err)
				}
				time.Sleep(time.Millisecond)
			}
			if p := b.pending(batch); p != 0 {
				rt.Fatalf("%d deliveries of batch %d wait", p, batch)
			}
		}
	})
}
