package main

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// writing is one Write on its way.
type writing struct {
	client  *client
	results []destination.Result

	mu       sync.Mutex
	ended    *destination.Result // set: nothing more is sent, the rest gets this
	timeouts int                 // in a row
}

func newWriting(c *client, results []destination.Result) *writing {
	return &writing{client: c, results: results}
}

// answerTime is kept back from the deadline of a Write, so that what was
// delivered until then can still be told.
const answerTime = 500 * time.Millisecond

func withAnswerTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	keep := min(answerTime, time.Until(deadline)/10)
	return context.WithDeadline(ctx, deadline.Add(-keep))
}

// sendEach makes one request per record. Records of one key go one after the
// other; otherwise several are on their way at a time.
func (w *writing) sendEach(ctx context.Context, items []item) {
	ctx, cancel := withAnswerTime(ctx)
	defer cancel()
	queue := make(chan []item)
	var workers sync.WaitGroup
	chains := byKey(items)
	for range min(w.client.options.concurrency, len(chains)) {
		workers.Go(func() {
			for chain := range queue {
				w.sendChain(ctx, chain)
			}
		})
	}
	for _, chain := range chains {
		queue <- chain
	}
	close(queue)
	workers.Wait()
}

// byKey puts the records of one key into one chain, in their order. Records
// without a key have no order to keep.
func byKey(items []item) [][]item {
	var chains [][]item
	at := map[string]int{}
	for _, it := range items {
		i, ok := at[it.key]
		if !ok || it.key == "" {
			at[it.key] = len(chains)
			chains = append(chains, []item{it})
			continue
		}
		chains[i] = append(chains[i], it)
	}
	return chains
}

// sendChain sends the records of one key. When one has to wait, those behind it
// wait too.
func (w *writing) sendChain(ctx context.Context, chain []item) {
	var before *destination.Result
	for _, it := range chain {
		if before != nil {
			w.results[it.place] = destination.Result{
				Kind: before.Kind, Code: before.Code, Until: before.Until,
				Message: "waits for an earlier write of the same record",
			}
			continue
		}
		r := w.send(ctx, []item{it})
		w.results[it.place] = r
		if r.Kind != destination.Delivered && r.Kind != destination.Rejected {
			before = &r
		}
	}
}

// sendBatch makes one request for all records. When the endpoint rejects it for
// its contents, the halves are tried, until the records at fault are alone.
func (w *writing) sendBatch(ctx context.Context, items []item) {
	if len(items) == 0 {
		return
	}
	ctx, cancel := withAnswerTime(ctx)
	defer cancel()
	w.sendPart(ctx, items)
}

func (w *writing) sendPart(ctx context.Context, items []item) {
	r := w.send(ctx, items)
	if len(items) > 1 && r.Kind == destination.Rejected && mayBeOne(r.Code) {
		w.sendPart(ctx, items[:len(items)/2])
		w.sendPart(ctx, items[len(items)/2:])
		return
	}
	for _, it := range items {
		w.results[it.place] = r
	}
}

// mayBeOne reports whether an endpoint that rejects a batch so may take a part
// of it.
func mayBeOne(code string) bool {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity} {
		if code == "http_"+strconv.Itoa(status) {
			return true
		}
	}
	return false
}

// send makes one request, unless an earlier one showed that it is no use.
func (w *writing) send(ctx context.Context, items []item) destination.Result {
	if r := w.rest(); r != nil {
		return *r
	}
	if ctx.Err() != nil {
		return cancelled()
	}
	id, body := envelope(items, w.client.options.batch)
	r := w.client.post(ctx, id, body)
	w.note(r)
	return r
}

// rest returns what records get that are not sent any more.
func (w *writing) rest() *destination.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// note decides from one result whether to go on. Answers about one record do
// not end a Write; what is the same for all of them does.
func (w *writing) note(r destination.Result) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Code != codeTimeout {
		w.timeouts = 0
	}
	switch {
	case w.ended != nil:
		return
	case r.Kind == destination.Throttled, r.Kind == destination.Misconfigured,
		r.Code == codeDNS, r.Code == codeRefused, r.Code == codeTLS, r.Code == codeCancelled:
	case r.Code == codeTimeout:
		// A single record may be what the endpoint hangs on; a row of them is the
		// endpoint itself.
		if w.timeouts++; w.timeouts < w.client.options.concurrency {
			return
		}
	default:
		return
	}
	rest := r
	rest.Message = "not sent, since before: " + r.Message
	w.ended = &rest
}
