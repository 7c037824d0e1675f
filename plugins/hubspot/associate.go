package main

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/sluicehq/sluice/plugins/destination"
)

// link is an association to make.
type link struct {
	From end `json:"from"`
	To   end `json:"to"`
}

type end struct {
	ID string `json:"id"`
}

// associate makes the associations of what was written.
func (w *writing) associate(ctx context.Context) {
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
		for keys := range slices.Chunk(slices.Sorted(maps.Keys(byKey)), maxInputs) {
			w.associateSome(ctx, a, keys, byKey)
		}
	}
}

func (w *writing) associateSome(ctx context.Context, a association, keys []string, byKey map[string][]*item) {
	var all []*item
	for _, key := range keys {
		all = append(all, byKey[key]...)
	}
	parents, err := w.parents(ctx, a, keys)
	if err != nil {
		w.unlinked(all, w.client.result(err))
		w.stopped = err
		return
	}
	var (
		links  []link
		linked []*item
	)
	for _, key := range keys {
		parent, found := parents[key]
		for _, it := range byKey[key] {
			if !found {
				w.unlinked([]*item{it}, destination.Result{
					Kind: destination.Dependency, Code: codeParent,
					Message: "the record is in HubSpot; the one of " + a.To + " that its " + a.Property + " names is not",
				})
				continue
			}
			links = append(links, link{From: end{it.recordID}, To: end{parent}})
			linked = append(linked, it)
		}
	}
	path := "/crm/associations/" + datedVersion + "/" + a.From + "/" + a.To + "/batch/associate/default"
	for i := 0; i < len(links); i += maxInputs {
		last := min(i+maxInputs, len(links))
		var answer batchAnswer
		err := w.client.call(ctx, http.MethodPost, path, batchInput[link]{links[i:last]}, &answer)
		if err == nil && len(answer.Errors) > 0 {
			// It does not say which ones; making the others again does no harm.
			err = resultFailure(destination.Result{Kind: destination.Retry, Code: codeOf(0, answer.Errors[0]), Message: describe(0, answer.Errors[0])})
		}
		if err == nil {
			continue
		}
		r := w.client.result(err)
		if e := asAPIError(err); e != nil && e.status == http.StatusNotFound {
			r.Kind = destination.Dependency // deleted since its id was read or remembered
			for _, it := range linked[i:last] {
				w.known.forget(name{a.To, a.ToProperty, it.properties[a.Property]})
			}
		}
		w.unlinked(linked[i:last], r)
	}
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
	if len(unknown) == 0 {
		return out, nil
	}
	found, err := w.read(ctx, a.To, a.ToProperty, unknown)
	if isBad(err) {
		return out, nil // the property comes with the first of the other records
	}
	for key, state := range found {
		out[key] = state.id
		w.known.put(name{a.To, a.ToProperty, key}, state.id)
	}
	return out, err
}

// unlinked gives records that are written the result of their association, and
// keeps them from further ones: the next try makes all.
func (w *writing) unlinked(items []*item, r destination.Result) {
	for _, it := range items {
		it.associate = false
		w.settle(it, r)
	}
}
