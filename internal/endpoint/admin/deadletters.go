package admin

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/julienschmidt/httprouter"

	"github.com/sluicehq/sluice/internal/ledger"
)

func (a *api) listDeadLetters(r *http.Request, _ httprouter.Params) (any, error) {
	f, err := deadLetterFilter(r)
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.ListDeadLetters(r.Context(), f)
	if list == nil {
		list = []ledger.DeadLetter{} // an empty list in JSON, not null
	}
	return list, err
}

func (a *api) showDeadLetter(r *http.Request, p httprouter.Params) (any, error) {
	id, err := strconv.ParseInt(p.ByName("id"), 10, 64)
	if err != nil {
		return nil, badRequest("a dead letter's id is a number")
	}
	return a.o.Store.DeadLetterByID(r.Context(), id)
}

// DeadLetterAction asks to retry or discard dead letters.
type DeadLetterAction struct {
	Action      string  `json:"action"` // retry or discard
	All         bool    `json:"all"`    // needed when nothing else narrows it down
	IDs         []int64 `json:"ids,omitempty"`
	Destination string  `json:"destination,omitempty"`
	Model       string  `json:"model,omitempty"`
	Code        string  `json:"code,omitempty"`
}

// DeadLetterResult counts what an action changed.
type DeadLetterResult struct {
	Count int   `json:"count"`
	Batch int64 `json:"batch,omitempty"` // that drives them again
}

func (a *api) actOnDeadLetters(r *http.Request, _ httprouter.Params) (any, error) {
	var in DeadLetterAction
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, badRequest("the body is not a dead letter action: " + err.Error())
	}
	if !in.All && len(in.IDs) == 0 && in.Destination == "" && in.Model == "" && in.Code == "" {
		return nil, badRequest("name ids, a destination, a model or a code, or say all")
	}
	f := ledger.DeadLetterFilter{IDs: in.IDs, Destination: in.Destination, Model: in.Model, Code: in.Code}
	switch in.Action {
	case "retry":
		batch, n, err := a.o.Store.RetryDeadLetters(r.Context(), f)
		if err != nil {
			return nil, err
		}
		a.o.Process.Wake()
		return DeadLetterResult{Count: n, Batch: batch}, nil
	case "discard":
		n, err := a.o.Store.DiscardDeadLetters(r.Context(), f)
		return DeadLetterResult{Count: n}, err
	default:
		return nil, badRequest("action must be retry or discard")
	}
}

func deadLetterFilter(r *http.Request) (ledger.DeadLetterFilter, error) {
	q := r.URL.Query()
	before, err := number(r, "before")
	if err != nil {
		return ledger.DeadLetterFilter{}, err
	}
	limit, err := number(r, "limit")
	return ledger.DeadLetterFilter{
		Destination: q.Get("destination"), Model: q.Get("model"), Code: q.Get("code"), BeforeID: before, Limit: int(min(limit, 1000)),
	}, err
}
