package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

const (
	// maxCollection is how many records one call may hold.
	maxCollection = 200
	// maxCalls bounds the search for records that make Salesforce refuse a whole
	// call. With a mapping that is wrong for all of them it would eat the day's
	// requests; what is not found within it is tried again later.
	maxCalls = 32
)

// saved is the outcome of one record of a collection.
type saved struct {
	ID      string     `json:"id"`
	Success bool       `json:"success"`
	Errors  []apiError `json:"errors"`
}

func (w *writing) saved(a answer, want int) ([]saved, *destination.Failure) {
	var list []saved
	if err := json.Unmarshal(a.body, &list); err != nil || len(list) != want {
		return nil, &destination.Failure{
			Kind: destination.Retry, Code: codeAnswer,
			Err: errors.New("the answer of Salesforce is not one result for each record"),
		}
	}
	return list, nil
}

func (w *writing) upsertPath() string {
	return "composite/sobjects/" + url.PathEscape(w.object) + "/" + url.PathEscape(w.external)
}

// upsertBody is deterministic: a repetition is the same request.
func (w *writing) upsertBody(items []*item) []byte {
	records := make([]map[string]any, len(items))
	for i, it := range items {
		records[i] = it.body(w.object, w.external)
	}
	return collection(records)
}

func collection(records []map[string]any) []byte {
	// It holds nothing that does not encode: set has checked the values.
	body, _ := json.Marshal(map[string]any{"allOrNone": false, "records": records})
	return body
}

// upsert sends one collection.
func (w *writing) upsert(ctx context.Context, items []*item) *destination.Failure {
	return w.upsertPart(ctx, items, &search{})
}

// search looks for the records that make Salesforce refuse a call.
type search struct {
	calls  int
	reason *destination.Failure // the last refusal
}

// upsertPart sends a collection. When Salesforce refuses it as a whole for what
// it holds, the halves are tried, until the records at fault are alone.
func (w *writing) upsertPart(ctx context.Context, items []*item, s *search) *destination.Failure {
	if s.calls == maxCalls {
		return &destination.Failure{
			Kind: destination.Retry, Code: s.reason.Code,
			Err: fmt.Errorf("beside records that make Salesforce refuse the call: %w", s.reason.Err),
		}
	}
	s.calls++
	a, f := w.client.call(ctx, http.MethodPatch, w.upsertPath(), contentJSON, w.upsertBody(items))
	if f != nil {
		if f.Kind != destination.Rejected || len(items) == 1 || a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge || sameNames(f, items) {
			return f
		}
		s.reason = f
		for _, half := range [][]*item{items[:len(items)/2], items[len(items)/2:]} {
			w.each(half, func() *destination.Failure { return w.upsertPart(ctx, half, s) })
		}
		return nil
	}
	list, f := w.saved(a, len(items))
	if f != nil {
		return f
	}
	for i, it := range items {
		if list[i].Success {
			w.settle(it, destination.Result{Kind: destination.Delivered, ExternalID: list[i].ID})
			continue
		}
		w.settle(it, w.client.resultOfErrors(list[i].Errors))
	}
	return nil
}

// sameNames: an error about names is that of all records which have the same.
func sameNames(f *destination.Failure, items []*item) bool {
	return slices.Contains(ofSchema, f.Code) &&
		!slices.ContainsFunc(items, func(it *item) bool { return it.shape != items[0].shape })
}

// delete moves records to the recycle bin.
func (w *writing) delete(ctx context.Context, items []*item, ids []string) *destination.Failure {
	a, f := w.client.call(ctx, http.MethodDelete, "composite/sobjects?ids="+strings.Join(ids, ",")+"&allOrNone=false", "", nil)
	if f != nil {
		return f
	}
	return w.settleDeletes(a, items)
}

// markDeleted keeps records and says that they are deleted.
func (w *writing) markDeleted(ctx context.Context, items []*item, ids []string) *destination.Failure {
	records := make([]map[string]any, len(items))
	for i, it := range items {
		records[i] = map[string]any{"attributes": map[string]string{"type": w.object}, "id": ids[i], w.client.options.DeletedField: true}
		if name := w.client.options.VersionField; name != "" {
			records[i][name] = it.version
		}
	}
	a, f := w.client.call(ctx, http.MethodPatch, "composite/sobjects", contentJSON, collection(records))
	if f != nil {
		return f
	}
	return w.settleDeletes(a, items)
}
