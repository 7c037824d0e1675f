package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/httpanswer"
)

// writing is one Write on its way.
type writing struct {
	client   *client
	object   string
	external string
	results  []destination.Result
	ended    *destination.Failure // set: nothing more is sent, the rest gets this
}

// plan is what a batch comes to: at most one upsert and one delete for each
// external id, the upserts first.
type plan struct {
	upserts, deletes []*item
}

// answerTime is kept back from the deadline of a Write, so that what was
// written until then can still be told and a bulk job be aborted.
const answerTime = 2 * time.Second

// plan reads the batch. Records that cannot be read get their result.
func (w *writing) plan(b *destination.Batch) plan {
	var err error
	w.external, err = w.externalID(b)
	byKey := map[string][]*item{}
	var keys []string
	for i := range b.Records {
		if err != nil {
			w.results[i] = destination.Result{Kind: destination.Misconfigured, Code: codeExternalID, Message: err.Error()}
			continue
		}
		it, bad := w.newItem(b, i)
		if bad != nil {
			w.results[i] = destination.Result{Kind: destination.Rejected, Code: codeRecord, Message: bad.Error()}
			continue
		}
		if byKey[it.key] == nil {
			keys = append(keys, it.key)
		}
		byKey[it.key] = append(byKey[it.key], it)
	}
	var p plan
	for _, key := range keys {
		p.add(byKey[key], w.client.options.soft)
	}
	// Children of one parent lock it: they should meet in one call, not in several.
	slices.SortStableFunc(p.upserts, func(a, b *item) int {
		return cmp.Or(cmp.Compare(a.parents, b.parents), cmp.Compare(a.key, b.key))
	})
	return p
}

// add takes in what a batch says of one external id: the newest version. It
// answers for the older ones, but where a delete keeps the record: there has to
// be one to keep.
func (p *plan) add(versions []*item, soft bool) {
	slices.SortStableFunc(versions, func(a, b *item) int { return cmp.Compare(a.version, b.version) })
	newest := versions[len(versions)-1]
	var upsert *item
	for _, it := range versions[:len(versions)-1] {
		if soft && newest.remove && !it.remove {
			if upsert != nil {
				it.places = append(it.places, upsert.places...)
			}
			upsert = it
			continue
		}
		newest.places = append(newest.places, it.places...)
	}
	if upsert != nil {
		p.upserts = append(p.upserts, upsert)
	}
	if newest.remove {
		p.deletes = append(p.deletes, newest)
	} else {
		p.upserts = append(p.upserts, newest)
	}
}

// run does what is planned.
func (w *writing) run(ctx context.Context, p plan) {
	upserts := p.upserts
	if w.client.options.VersionField != "" {
		upserts = w.guarded(ctx, upserts)
	}
	bulk, rest := w.split(upserts)
	for _, items := range bulk {
		w.each(items, func() *destination.Failure { return w.bulk(ctx, items) })
	}
	for items := range slices.Chunk(rest, maxCollection) {
		w.each(items, func() *destination.Failure { return w.upsert(ctx, items) })
	}
	w.remove(ctx, p.deletes)
}

// split takes out the groups of one shape that are large enough for a bulk job.
// Within a group every record sets every column, so that absent stays absent.
func (w *writing) split(items []*item) (bulk [][]*item, rest []*item) {
	groups := map[string][]*item{}
	var shapes []string
	for _, it := range items {
		if !it.plain {
			continue
		}
		if groups[it.shape] == nil {
			shapes = append(shapes, it.shape)
		}
		groups[it.shape] = append(groups[it.shape], it)
	}
	large := func(it *item) bool { return it.plain && len(groups[it.shape]) >= w.client.options.BulkThreshold }
	for _, shape := range shapes {
		if group := groups[shape]; large(group[0]) {
			bulk = append(bulk, group)
		}
	}
	for _, it := range items {
		if !large(it) {
			rest = append(rest, it)
		}
	}
	return bulk, rest
}

// each sends items, unless it was seen to be no use. A failure is what became of
// those without a result.
func (w *writing) each(items []*item, send func() *destination.Failure) {
	f := w.ended
	if f == nil {
		if f = send(); f == nil {
			return
		}
		// An answer to one call says nothing of the next; these do.
		if f.Kind == destination.Throttled || f.Kind == destination.Misconfigured || f.Code == httpanswer.CodeNetwork || f.Code == httpanswer.CodeCancelled {
			w.ended = f
		}
	}
	for _, it := range items {
		w.settle(it, resultOf(f))
	}
}

func (w *writing) settle(it *item, r destination.Result) {
	for _, place := range it.places {
		w.results[place] = r
	}
}

// guarded leaves out what is older than what Salesforce has.
func (w *writing) guarded(ctx context.Context, items []*item) []*item {
	var out []*item
	w.lookUp(ctx, items, func(it *item, found []found) {
		if len(found) > 0 && found[0].version > it.version {
			w.settle(it, destination.Result{Kind: destination.Delivered, ExternalID: found[0].id})
			return
		}
		out = append(out, it)
	})
	return out
}

// remove deletes, or marks as deleted, what Salesforce has.
func (w *writing) remove(ctx context.Context, items []*item) {
	type target struct {
		*item
		id string
	}
	var targets []target
	w.lookUp(ctx, items, func(it *item, found []found) {
		switch {
		case len(found) == 0, found[0].version > it.version:
			w.settle(it, destination.Result{Kind: destination.Delivered})
		case len(found) > 1:
			w.settle(it, destination.Result{
				Kind: destination.Rejected, Code: "DUPLICATE_EXTERNAL_ID",
				Message: "more than one record has this external id; make " + w.external + " unique",
			})
		default:
			targets = append(targets, target{it, found[0].id})
		}
	})
	for chunk := range slices.Chunk(targets, maxCollection) {
		items, ids := make([]*item, len(chunk)), make([]string, len(chunk))
		for i, t := range chunk {
			items[i], ids[i] = t.item, t.id
		}
		w.each(items, func() *destination.Failure {
			if w.client.options.soft {
				return w.markDeleted(ctx, items, ids)
			}
			return w.delete(ctx, items, ids)
		})
	}
}

// gone are errors of a delete that say that there is nothing to delete.
var gone = []string{"ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY", "NOT_FOUND"}

// settleDeletes takes the answer of a delete.
func (w *writing) settleDeletes(a answer, items []*item) *destination.Failure {
	saved, f := w.saved(a, len(items))
	if f != nil {
		return f
	}
	for i, it := range items {
		if s := saved[i]; s.Success || len(s.Errors) > 0 && slices.Contains(gone, s.Errors[0].code()) {
			w.settle(it, destination.Result{Kind: destination.Delivered, ExternalID: s.ID})
			continue
		}
		w.settle(it, w.client.resultOfErrors(saved[i].Errors))
	}
	return nil
}
