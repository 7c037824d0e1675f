package main

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/bisect"
)

// link is an association to make.
type link struct {
	From end `json:"from"`
	To   end `json:"to"`
}

type end struct {
	ID string `json:"id"`
}

const (
	// maxLinks is how many associations HubSpot makes with a call: 2,000 are
	// documented.
	maxLinks = 2000
	// maxRefusals bounds the search for those that HubSpot refuses. If it refuses
	// all, the search would go on for thousands of calls.
	maxRefusals = 32
)

// timeForWrites keeps a third of the time for associations. A Write that spends
// all of it on records would find them written the next time, with no more time
// for their associations than before.
func (w *writing) timeForWrites(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || !slices.ContainsFunc(w.client.options.Associations, func(a association) bool { return a.From == w.batch.Object }) {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-time.Until(deadline)/3))
}

// associate makes the associations of what was written.
func (w *writing) associate(ctx context.Context) {
	if w.stopped != nil && w.client.result(w.stopped).Kind == destination.Retry {
		w.stopped = nil // it may have been the time for writes that ended
	}
	for _, a := range w.client.options.Associations {
		if a.From != w.batch.Object {
			continue
		}
		byKey := map[string][]*item{}
		for _, it := range w.items {
			if key := it.properties[a.Property]; it.associate && key != "" {
				byKey[key] = append(byKey[key], it)
			}
		}
		links := w.links(ctx, a, byKey)
		for part := range slices.Chunk(links, maxLinks) {
			w.link(ctx, a, part)
		}
	}
}

// linked is an item and what it is to be associated with.
type linked struct {
	*item
	link
}

// links finds the parents of items by the keys that these name them by. Items
// without one get their result.
func (w *writing) links(ctx context.Context, a association, byKey map[string][]*item) []linked {
	keys := slices.Sorted(maps.Keys(byKey))
	parents, err := w.parents(ctx, a, keys)
	if err != nil {
		w.stopped = err
	}
	var out []linked
	for _, key := range keys {
		parent, found := parents[key]
		if !found && err != nil {
			w.unlinked(byKey[key], w.client.result(err))
			continue
		}
		if !found {
			w.unlinked(byKey[key], destination.Result{
				Kind: destination.Dependency, Code: codeParent,
				Message: "the record is in HubSpot; the one of " + a.To + " that its " + a.Property + " names is not",
			})
			continue
		}
		for _, it := range byKey[key] {
			out = append(out, linked{it, link{From: end{it.recordID}, To: end{parent}}})
		}
	}
	return out
}

// link makes associations, also when the records after these could not be
// written: else all of these would be written again. HubSpot does not say which
// of them leads to a record that is not there: halves find it.
func (w *writing) link(ctx context.Context, a association, links []linked) {
	path := "/crm/associations/" + datedVersion + "/" + a.From + "/" + a.To + "/batch/associate/default"
	var failed error // what holds for the next call too
	refusals := 0
	bisect.Each(links, func(part []linked) bool {
		var in batchInput[link]
		items := make([]*item, len(part))
		for i, l := range part {
			in.Inputs, items[i] = append(in.Inputs, l.link), l.item
		}
		err := failed
		if err == nil {
			var answer batchAnswer
			err = w.client.call(ctx, http.MethodPost, path, in, &answer)
			if err == nil && len(answer.Errors) > 0 {
				// It does not say which ones; making the others again does no harm.
				err = &apiError{status: statusOf(answer.Errors[0]), body: answer.Errors[0]}
			}
			if err == nil {
				return false
			}
		}
		r := w.client.result(err)
		e := asAPIError(err)
		gone := e != nil && e.status == http.StatusNotFound
		switch {
		case !gone && !isBad(err):
			failed = err
		case len(part) > 1:
			if refusals++; refusals <= maxRefusals {
				return true
			}
			r.Kind = destination.Retry // which of them it is, later tries find
		case gone:
			r.Kind = destination.Dependency
		}
		if gone { // deleted since the ids were read or remembered
			for _, l := range part {
				w.known.forget(name{a.To, a.ToProperty, l.properties[a.Property]})
			}
		}
		w.unlinked(items, r)
		if gone { // maybe one of these
			for _, it := range items {
				w.known.owed(name{w.batch.Object, w.key, it.id}, it.record.Version)
			}
		}
		return false
	})
}

// parents returns the ids of the records that an association leads to, of those
// that are there.
func (w *writing) parents(ctx context.Context, a association, keys []string) (map[string]string, error) {
	out := make(map[string]string, len(keys))
	var unknown []string
	for _, key := range keys {
		if id, ok := w.known.get(name{a.To, a.ToProperty, key}); ok {
			out[key] = id
		} else {
			unknown = append(unknown, key)
		}
	}
	for some := range slices.Chunk(unknown, maxInputs) {
		found, err := w.read(ctx, a.To, a.ToProperty, some)
		if isBad(err) {
			return out, nil // the property comes with the first of the other records
		}
		if err != nil {
			return out, err
		}
		for key, state := range found {
			out[key] = state.id
			w.known.put(name{a.To, a.ToProperty, key}, state.id)
		}
	}
	return out, nil
}

// unlinked gives records that are written the result of their association, and
// keeps them from further ones: the next try makes all.
func (w *writing) unlinked(items []*item, r destination.Result) {
	for _, it := range items {
		it.associate = false
		w.settle(it, r)
		w.known.owe(name{w.batch.Object, w.key, it.id}, written{it.recordID, it.record.Version})
	}
}
