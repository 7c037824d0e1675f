package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/bisect"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
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

// sendEach makes one request per record. Records of one key go one after the
// other; otherwise several are on their way at a time.
func (w *writing) sendEach(ctx context.Context, items []item) {
	ctx, cancel := httpanswer.KeepTime(ctx, answerTime)
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
	ctx, cancel := httpanswer.KeepTime(ctx, answerTime)
	defer cancel()
	bisect.Each(items, func(part []item) bool {
		r := w.send(ctx, part)
		for _, it := range part {
			w.results[it.place] = r
		}
		return r.Kind == destination.Rejected && mayBeOne(r.Code)
	})
}

// mayBeOne reports whether an endpoint that rejects a batch so may take a part
// of it.
func mayBeOne(code string) bool {
	status, err := strconv.Atoi(strings.TrimPrefix(code, "http_"))
	return err == nil && httpanswer.RefusesContents(status)
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
	if r.Code != httpanswer.CodeTimeout {
		w.timeouts = 0
	}
	switch {
	case w.ended != nil:
		return
	case r.Kind == destination.Throttled, r.Kind == destination.Misconfigured,
		r.Code == httpanswer.CodeDNS, r.Code == httpanswer.CodeRefused, r.Code == httpanswer.CodeTLS, r.Code == httpanswer.CodeCancelled:
	case r.Code == httpanswer.CodeTimeout:
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
