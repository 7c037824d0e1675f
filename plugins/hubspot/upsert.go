package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/bisect"
)

// input is one record of a request. Trace ids make HubSpot answer for each
// record, and are the only way to tell whose answer it is.
type input struct {
	ID         string            `json:"id,omitempty"`
	IDProperty string            `json:"idProperty,omitempty"`
	TraceID    string            `json:"objectWriteTraceId,omitempty"`
	Properties map[string]string `json:"properties,omitempty"`
}

type batchInput[T any] struct {
	Inputs []T `json:"inputs"`
}

type readInput struct {
	IDProperty string   `json:"idProperty"`
	Inputs     []input  `json:"inputs"`
	Properties []string `json:"properties"`
}

// batchAnswer is the answer to a batch, 2xx and 207 alike.
type batchAnswer struct {
	Results []struct {
		ID         string             `json:"id"`
		TraceID    string             `json:"objectWriteTraceId"`
		Properties map[string]*string `json:"properties"`
	} `json:"results"`
	Errors    []errorBody `json:"errors"`
	NumErrors int         `json:"numErrors"`
}

// run brings the items to HubSpot.
func (w *writing) run(ctx context.Context, types map[string]string) {
	var first, known []*item
	for _, it := range w.encode(w.items, types) {
		own := name{w.batch.Object, w.key, it.id}
		if id, ok := w.known.owed(own, it.record.Version); ok && it.record.Operation == destination.Upsert {
			it.recordID, it.associate = id, true
			w.deliver(it)
			continue
		}
		if _, there := w.known.get(own); it.isFirst() && !there {
			first = append(first, it)
		} else {
			known = append(known, it)
		}
	}
	writes, cancel := w.timeForWrites(ctx)
	defer cancel()
	for chunk := range slices.Chunk(first, maxInputs) {
		known = append(known, w.create(writes, chunk)...)
		// At once: looks at what is there already would come to nothing when the
		// time ends before their updates.
		for len(known) >= maxInputs {
			w.update(writes, known[:maxInputs])
			known = known[maxInputs:]
		}
	}
	for chunk := range slices.Chunk(known, maxInputs) {
		w.update(writes, chunk)
	}
	w.associate(ctx)
}

// create writes records that are most likely new. It saves the look at what is
// there, and cannot overwrite anything. What is there already is returned, with
// everything else for which HubSpot refused the whole batch.
func (w *writing) create(ctx context.Context, items []*item) (left []*item) {
	answer, err := w.send(ctx, "batch/create", items, func(it *item) input {
		in := w.input(it, true)
		in.ID, in.IDProperty = "", ""
		return in
	})
	if isBad(err) {
		return items
	}
	if err != nil {
		w.fail(items, err)
		return nil
	}
	return w.settleAll(items, answer, true)
}

// update writes records of which HubSpot may have a version.
func (w *writing) update(ctx context.Context, items []*item) {
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.id
	}
	there, err := w.read(ctx, w.batch.Object, w.key, ids)
	if err != nil {
		w.fail(items, err)
		return
	}
	var whole, partial, archive []*item
	for _, it := range items {
		have, found := there[it.id]
		it.recordID = have.id
		switch deletion := it.record.Operation == destination.Delete; {
		case !found && deletion, found && have.version > it.record.Version:
			w.deliver(it)
		case deletion:
			archive = append(archive, it)
		case found && have.version == it.record.Version:
			// Its associations may be what a first try did not get to.
			it.associate = true
			w.deliver(it)
		case found && have.version >= 0:
			partial = append(partial, it)
		default:
			whole = append(whole, it)
		}
	}
	for _, it := range partial {
		it.keepChanged()
	}
	w.upsert(ctx, append(whole, partial...))
	w.archive(ctx, archive)
}

// keepChanged leaves out what HubSpot has already.
func (it *item) keepChanged() {
	for name, changed := range it.changed {
		if !changed {
			delete(it.properties, name)
		}
	}
}

// upsert writes the items. If HubSpot refuses the batch, halves of it find the
// record that is to blame.
func (w *writing) upsert(ctx context.Context, items []*item) {
	bisect.Each(items, func(part []*item) bool {
		answer, err := w.send(ctx, "batch/upsert", part, func(it *item) input { return w.input(it, false) })
		if err == nil {
			w.settleAll(part, answer, false)
			return false
		}
		return w.refused(part, err)
	})
}

// refused settles a part that HubSpot did not take, unless one of several records
// may be to blame.
func (w *writing) refused(part []*item, err error) bool {
	switch {
	case isBad(err) && len(part) > 1:
		return true
	case isBad(err):
		w.settle(part[0], w.client.result(err))
	default:
		w.fail(part, err)
	}
	return false
}

// input is an item as an upsert has it. What is new has no values to clear.
func (w *writing) input(it *item, isNew bool) input {
	in := input{ID: it.id, IDProperty: w.key, TraceID: it.trace, Properties: it.properties}
	if isNew {
		in.Properties = map[string]string{}
		for name, value := range it.properties {
			if value != "" {
				in.Properties[name] = value
			}
		}
	}
	return in
}

// send posts a batch of records.
func (w *writing) send(ctx context.Context, path string, items []*item, make func(*item) input) (batchAnswer, error) {
	var answer batchAnswer
	if w.stopped != nil {
		return answer, w.stopped
	}
	var in batchInput[input]
	for _, it := range items {
		in.Inputs = append(in.Inputs, make(it))
	}
	err := w.client.call(ctx, http.MethodPost, w.client.objectPath(w.batch.Object, path), in, &answer)
	return answer, err
}

// settleAll gives each item what the answer says of it. With keepConflicts, those
// that are there already get no result but are returned.
func (w *writing) settleAll(items []*item, answer batchAnswer, keepConflicts bool) (conflicts []*item) {
	open := map[string]*item{}
	for _, it := range items {
		open[it.trace] = it
	}
	for _, r := range answer.Results {
		if it := open[r.TraceID]; it != nil {
			delete(open, r.TraceID)
			it.recordID, it.associate = r.ID, true
			w.remember(it, r.ID)
			w.deliver(it)
		}
	}
	for _, e := range answer.Errors {
		traces, _ := e.Context["objectWriteTraceId"].([]any)
		for _, trace := range traces {
			name, _ := trace.(string)
			it := open[name]
			if it == nil {
				continue
			}
			delete(open, name)
			if keepConflicts && isConflict(e) {
				conflicts = append(conflicts, it)
				continue
			}
			w.settle(it, w.client.result(&apiError{status: statusOf(e), body: e}))
		}
	}
	for _, it := range open {
		w.settle(it, destination.Result{
			Kind: destination.Retry, Code: codeSilent,
			Message: "HubSpot took the batch and said nothing of this record, neither a result nor an error",
		})
	}
	return conflicts
}

func isConflict(e errorBody) bool {
	return e.Category == "CONFLICT" || e.Category == "OBJECT_ALREADY_EXISTS"
}

// statusOf is the status that an error of one input would have had alone.
func statusOf(e errorBody) int {
	switch {
	case isConflict(e):
		return http.StatusConflict
	case e.Category == "RATE_LIMITS":
		return http.StatusTooManyRequests
	case e.Category == "MISSING_SCOPES":
		return http.StatusForbidden
	case e.Category == "OBJECT_NOT_FOUND":
		return http.StatusNotFound
	default:
		return http.StatusBadRequest
	}
}

// state is what HubSpot has of a record.
type state struct {
	id      string
	version int64 // -1: it was not written by Sluice
}

// read returns the records that are there, by their keys.
func (w *writing) read(ctx context.Context, object, key string, ids []string) (map[string]state, error) {
	if w.stopped != nil {
		return nil, w.stopped
	}
	in := readInput{IDProperty: key, Properties: []string{key, versionProperty}}
	for _, id := range ids {
		in.Inputs = append(in.Inputs, input{ID: id})
	}
	var answer batchAnswer
	if err := w.client.call(ctx, http.MethodPost, w.client.objectPath(object, "batch/read"), in, &answer); err != nil {
		return nil, err
	}
	out := make(map[string]state, len(answer.Results))
	for _, r := range answer.Results {
		id := r.Properties[key]
		if id == nil {
			continue
		}
		s := state{id: r.ID, version: -1}
		if text := r.Properties[versionProperty]; text != nil {
			if v, err := strconv.ParseInt(*text, 10, 64); err == nil {
				s.version = v
			}
		}
		out[*id] = s
	}
	return out, nil
}

// archive deletes records: HubSpot keeps them in its recycle bin.
func (w *writing) archive(ctx context.Context, items []*item) {
	bisect.Each(items, func(part []*item) bool {
		if w.stopped != nil {
			w.fail(part, w.stopped)
			return false
		}
		var in batchInput[input]
		for _, it := range part {
			in.Inputs = append(in.Inputs, input{ID: it.recordID})
			w.forget(it)
		}
		err := w.client.call(ctx, http.MethodPost, w.client.objectPath(w.batch.Object, "batch/archive"), in, nil)
		if err != nil {
			return w.refused(part, err)
		}
		for _, it := range part {
			w.deliver(it)
		}
		return false
	})
}
