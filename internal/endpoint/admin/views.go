package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/ledger"
)

// Event is an event as operators see it.
type Event struct {
	Seq         int64           `json:"seq"`
	Source      string          `json:"source"`
	ID          string          `json:"event_id"`
	Kind        event.Kind      `json:"kind"`
	Format      string          `json:"format"`
	CompanyID   string          `json:"company_id,omitempty"`
	Integration string          `json:"integration,omitempty"`
	Model       string          `json:"model,omitempty"`
	Operation   event.Operation `json:"operation,omitempty"`
	SyncID      string          `json:"sync_id,omitempty"`
	Status      string          `json:"status,omitempty"`
	Records     int             `json:"records"`
	CreatedAt   time.Time       `json:"created_at,omitzero"`
	ReceivedAt  time.Time       `json:"received_at"`
	State       string          `json:"state"` // accepted, dispatched or applied
	Batch       int64           `json:"batch,omitempty"`
	// Revision is of the configuration that merged and routed it; only on a single event.
	Revision string `json:"revision,omitempty"`
	// Deliveries counts what the event's batch booked; only on a single event.
	Deliveries []ledger.DeliveryCount `json:"deliveries,omitempty"`
	Body       json.RawMessage        `json:"body,omitempty"` // only on a single event
}

func eventOf(e *event.Event, batch int64, applied bool) Event {
	state := "accepted"
	switch {
	case applied:
		state = "applied"
	case batch != 0:
		state = "dispatched"
	}
	return Event{
		Seq: e.Seq, Source: e.Source, ID: e.ID, Kind: e.Kind, Format: e.Format,
		CompanyID: e.CompanyID, Integration: e.Integration, Model: e.Model, Operation: e.Operation,
		SyncID: e.SyncID, Status: e.Status, Records: e.Records,
		CreatedAt: e.CreatedAt, ReceivedAt: e.ReceivedAt, State: state, Batch: batch,
	}
}

func (a *api) listEvents(r *http.Request, _ httprouter.Params) (any, error) {
	q := r.URL.Query()
	before, err := number(r, "before")
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit")
	if err != nil {
		return nil, err
	}
	unrouted, err := flag(r, "unrouted")
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.ListEvents(r.Context(), ledger.EventFilter{
		Unrouted: unrouted,
		Source:   q.Get("source"), CompanyID: q.Get("company"), Model: q.Get("model"),
		Kind: event.Kind(q.Get("kind")), BeforeSeq: before, Limit: int(min(limit, 1000)),
	})
	if err != nil {
		return nil, err
	}
	out := make([]Event, len(list))
	for i := range list {
		out[i] = eventOf(&list[i].Event, list[i].Batch, list[i].Applied)
	}
	return out, nil
}

func (a *api) showEvent(r *http.Request, p httprouter.Params) (any, error) {
	// The id is whatever the source says, slashes included: it is all of the rest.
	id := strings.TrimPrefix(p.ByName("id"), "/")
	got, err := a.o.Store.EventByID(r.Context(), p.ByName("source"), id)
	if err != nil {
		return nil, err
	}
	out := eventOf(&got.Event, got.Batch, got.Applied)
	out.Revision, out.Deliveries, out.Body = got.Revision, got.Deliveries, got.Body
	return out, nil
}

// Record is a record as operators see it.
type Record struct {
	Source      string                     `json:"source"`
	CompanyID   string                     `json:"company_id"`
	Integration string                     `json:"integration"`
	Model       string                     `json:"model"`
	PlatformID  string                     `json:"platform_id"`
	Version     int64                      `json:"version"`
	Deleted     bool                       `json:"deleted"`
	UpdatedAt   time.Time                  `json:"updated_at"`
	Fields      map[string]json.RawMessage `json:"fields"`
	Deliveries  []ledger.DeliveryState     `json:"deliveries"`
}

func recordOf(d *ledger.RecordDetail) Record {
	fields := d.Content()
	if d.Deleted() {
		fields = d.Visible()
	}
	return Record{
		Source: d.Key.Source, CompanyID: d.Key.CompanyID, Integration: d.Key.Integration,
		Model: d.Key.Model, PlatformID: d.Key.PlatformID, Version: d.Version,
		Deleted: d.Deleted(), UpdatedAt: d.UpdatedAt, Fields: fields, Deliveries: d.Deliveries,
	}
}

func (a *api) showRecords(r *http.Request, _ httprouter.Params) (any, error) {
	q := r.URL.Query()
	key := event.RecordKey{
		Source: q.Get("source"), CompanyID: q.Get("company"), Integration: q.Get("integration"),
		Model: q.Get("model"), PlatformID: q.Get("platform_id"),
	}
	if key.PlatformID == "" {
		return nil, badRequest("platform_id is needed")
	}
	list, err := a.o.Store.RecordsByKey(r.Context(), key)
	if err != nil {
		return nil, err
	}
	out := make([]Record, len(list))
	for i := range list {
		out[i] = recordOf(&list[i])
	}
	return out, nil
}
