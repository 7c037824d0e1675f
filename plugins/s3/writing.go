package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/internal/part"
	"github.com/sluicehq/sluice/plugins/internal/placeholder"
)

// parallel is how many objects one Write uploads at a time.
const parallel = 4

// file is an object on its way, and the places of its records in the batch.
type file struct {
	key    string
	part   *part.Part
	places []int
}

// files sorts the records into objects. A record that cannot be written gets its
// result and is left out.
func (d *s3) files(b *destination.Batch, results []destination.Result) []file {
	byFolder := map[string]*file{}
	first := map[string]*destination.Record{}
	for i := range b.Records {
		r := &b.Records[i]
		folder := d.options.layout.Of(b.Object, r, nil)
		f := byFolder[folder]
		if f == nil {
			f = &file{part: part.New(b, d.options.form)}
			byFolder[folder], first[folder] = f, r
		}
		if err := f.part.Add(r); err != nil {
			results[i] = destination.Result{Kind: destination.Rejected, Code: "INVALID_RECORD", Message: err.Error()}
			continue
		}
		f.places = append(f.places, i)
	}
	var list []file
	for folder, f := range byFolder {
		if len(f.places) == 0 {
			continue
		}
		f.key = d.options.layout.Of(b.Object, first[folder], placeholder.Extra{"part": f.part.ID()})
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b file) int { return strings.Compare(a.key, b.key) })
	return list
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
func (d *s3) Write(ctx context.Context, b destination.Batch) ([]destination.Result, error) {
	results := make([]destination.Result, len(b.Records))
	files := d.files(&b, results)
	ctx, cancel := withAnswerTime(ctx)
	defer cancel()
	w := writing{destination: d, results: results}
	queue := make(chan file)
	var workers sync.WaitGroup
	for range min(parallel, len(files)) {
		workers.Go(func() {
			for f := range queue {
				w.upload(ctx, f)
			}
		})
	}
	for _, f := range files {
		queue <- f
	}
	close(queue)
	workers.Wait()
	return results, nil
}

// writing is one Write on its way.
type writing struct {
	destination *s3
	results     []destination.Result // each place is written by one worker

	mu    sync.Mutex
	ended *destination.Result // set: nothing more is sent, the rest gets this
}

func (w *writing) upload(ctx context.Context, f file) {
	w.mu.Lock()
	ended := w.ended
	w.mu.Unlock()
	var r destination.Result
	switch {
	case ended != nil:
		r = *ended
	case ctx.Err() != nil:
		r = cancelled(ctx)
	default:
		r = w.destination.upload(ctx, f)
	}
	if r.Kind == destination.Throttled || r.Kind == destination.Misconfigured {
		rest := r
		rest.Message = "not sent, since before: " + strings.TrimPrefix(r.Message, "not sent, since before: ")
		w.mu.Lock()
		w.ended = &rest
		w.mu.Unlock()
	}
	for _, i := range f.places {
		w.results[i] = r
	}
}

func (d *s3) upload(ctx context.Context, f file) destination.Result {
	body, err := d.encode(f.part)
	if err != nil {
		return destination.Result{Kind: destination.Rejected, Code: "ENCODE", Message: err.Error()}
	}
	_, err = d.client.PutObject(ctx, d.options.bucket, f.key, bytes.NewReader(body), int64(len(body)), d.options.put)
	r := d.resultOf(ctx, err)
	if r.Kind == destination.Delivered {
		r.ExternalID = f.key
	}
	return r
}

// encode makes the contents of an object, the same for the same records.
func (d *s3) encode(p *part.Part) ([]byte, error) {
	var b bytes.Buffer
	var out io.WriteCloser = plain{&b}
	switch d.options.compression {
	case "gzip":
		out = gzip.NewWriter(&b) // without a name and a time
	case "zstd":
		z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		out = z
	}
	if err := p.Write(out); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }
