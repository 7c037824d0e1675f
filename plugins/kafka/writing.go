package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// item is a record on its way: its place in the batch and its message.
type item struct {
	place   int
	version int64
	id      identity
	message *kgo.Record
}

// items encodes the records. One that cannot be written gets its result and is
// left out.
func (d *kafka) items(b *destination.Batch, results []destination.Result) []item {
	items := make([]item, 0, len(b.Records))
	for i := range b.Records {
		r := &b.Records[i]
		m, err := d.newMessage(b, r)
		if err != nil {
			results[i] = rejected("INVALID_RECORD", err)
			continue
		}
		if size := sizeOf(m); size > d.options.max {
			results[i] = rejected(kerr.MessageTooLarge.Message, fmt.Errorf("the message has %d bytes, max_message_bytes allows %d", size, d.options.max))
			continue
		}
		it := item{place: i, version: r.Version, id: identify(m, r), message: m}
		if r.Operation == destination.Append {
			it.version = 0 // an idempotency key has one version
		}
		items = append(items, it)
	}
	return items
}

func sizeOf(m *kgo.Record) int {
	n := len(m.Key) + len(m.Value)
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
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

// Write implements [destination.Destination].
func (d *kafka) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	results := make([]destination.Result, len(b.Records))
	if until := d.brakes.asked(); !until.IsZero() {
		for i := range results {
			results[i] = destination.Result{
				Kind: destination.Throttled, Code: "THROTTLED", Until: until, Message: "the brokers ask to wait: a quota of Kafka is used up",
			}
		}
		return results, nil
	}
	ctx, cancel := withAnswerTime(ctx)
	defer cancel()
	items := d.withTopics(ctx, d.items(&b, results), b.Mode, results)
	if d.gate.Acquire(ctx, 1) != nil {
		for _, it := range items {
			results[it.place] = cancelled()
		}
		return results, nil
	}
	large := d.produce(ctx, items, results)
	d.gate.Release(1)
	if len(large) == 0 {
		return results, nil
	}
	if d.gate.Acquire(ctx, everybody) != nil {
		for _, it := range large {
			results[it.place] = cancelled()
		}
		return results, nil
	}
	defer d.gate.Release(everybody)
	// What earlier writes left behind would share requests with these.
	if err := d.client.Flush(ctx); err == nil {
		d.halve(ctx, large, results)
	} else {
		for _, it := range large {
			results[it.place] = cancelled()
		}
	}
	return results, nil
}

// withTopics creates topics as needed and leaves out the records whose topic
// cannot be there.
func (d *kafka) withTopics(ctx context.Context, items []item, mode destination.Mode, results []destination.Result) []item {
	errs := map[string]error{}
	kept := items[:0]
	for _, it := range items {
		topic := it.message.Topic
		err, asked := errs[topic]
		if !asked {
			err = d.ensure(ctx, topic, mode)
			errs[topic] = err
		}
		if err != nil {
			results[it.place] = resultOf(err)
			continue
		}
		kept = append(kept, it)
	}
	return kept
}

// produce sends the messages and waits for the answers. It returns those that
// brokers refused as too large: a request holds several, and the limit is the
// request's.
func (d *kafka) produce(ctx context.Context, items []item, results []destination.Result) (large []item) {
	steps := make([]step, len(items))
	for i, it := range items {
		steps[i] = d.order.begin(it.id, it.version)
		if !steps[i].own {
			continue
		}
		f := steps[i].flight
		d.client.Produce(ctx, it.message, func(m *kgo.Record, err error) {
			r := resultOf(err)
			if err == nil {
				r.ExternalID = fmt.Sprintf("%s/%d/%d", m.Topic, m.Partition, m.Offset)
			}
			d.order.end(it.id, f, r)
		})
	}
	for i, it := range items {
		r := wait(ctx, steps[i], it.version)
		if steps[i].own && r.Code == kerr.MessageTooLarge.Message {
			large = append(large, it)
		}
		results[it.place] = r
	}
	return large
}

// wait returns the result of a step. A message that another one decides about is
// never rejected by it: it may be that one's fault alone.
func wait(ctx context.Context, s step, version int64) destination.Result {
	if s.flight == nil {
		return destination.Result{Kind: destination.Delivered}
	}
	select {
	case <-s.flight.done:
	case <-ctx.Done():
		// An answer that is there counts, however late it is read.
		select {
		case <-s.flight.done:
		default:
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				r := cancelled()
				r.Code, r.Message = "TIMEOUT", "the brokers did not answer in time"
				return r
			}
			return cancelled()
		}
	}
	r := s.flight.result
	if s.own || r.Kind == destination.Delivered {
		return r
	}
	r.Kind = destination.Retry
	if s.flight.version > version {
		r.Message = "a newer version of the record could not be written: " + r.Message
	}
	return r
}

// halve sends messages that were too large together, in ever smaller requests,
// until those that are too large by themselves are alone. Nobody else produces
// meanwhile.
func (d *kafka) halve(ctx context.Context, items []item, results []destination.Result) {
	if len(items) == 1 {
		d.produce(ctx, items, results)
		return
	}
	for _, half := range [][]item{items[:len(items)/2], items[len(items)/2:]} {
		if large := d.produce(ctx, half, results); len(large) > 0 && len(half) > 1 {
			d.halve(ctx, large, results)
		}
	}
}
