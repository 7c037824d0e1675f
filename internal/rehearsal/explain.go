package rehearsal

import (
	"context"
	"time"

	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/plugins/destination"
)

// Explanation is the whole way of one event through the configuration.
type Explanation struct {
	Revision  string          `json:"revision"`
	Treated   string          `json:"treated_by,omitempty"` // revision that a past event was really routed by
	EventID   string          `json:"event_id"`
	Source    string          `json:"source"`
	Kind      event.Kind      `json:"kind"`
	Format    string          `json:"format"`
	Model     string          `json:"model,omitempty"`
	Operation event.Operation `json:"operation,omitempty"`
	CompanyID string          `json:"company_id,omitempty"`
	Parts     []Part          `json:"parts"`
	// Unkeyed are elements that name no record and become dead letters.
	Unkeyed []string `json:"unkeyed,omitempty"`
}

// Part is an event as a whole, or one of its changes.
type Part struct {
	Index      int               `json:"index"`            // of the change; -1 for the event as a whole
	Record     string            `json:"record,omitempty"` // its key
	Version    int64             `json:"version,omitempty"`
	Deleted    bool              `json:"deleted,omitempty"`
	Routes     []routing.Verdict `json:"routes"`
	Deliveries []Shown           `json:"deliveries"`
}

// Shown is a delivery, and what the plugin would do with it.
type Shown struct {
	Delivery
	DryRun []string `json:"dry_run,omitempty"` // statements or requests
	Note   string   `json:"note,omitempty"`    // why there are none
}

// Input is an event to explain.
type Input struct {
	Source string
	Body   []byte
	// Records are states that are known. With Known they have the event in them
	// already, as those that the ledger has now do.
	Records []*event.Record
	Known   bool
	// DryRun asks a destination's plugin what it would do. May be nil.
	DryRun func(ctx context.Context, name string, b destination.Batch) ([]string, error)
}

// Explain says what each route says to an event, and what each destination gets.
func (r *Rehearsal) Explain(ctx context.Context, in Input) (*Explanation, error) {
	ev, err := r.parse(in.Source, in.Body, time.Now())
	if err != nil {
		return nil, err
	}
	on := r.start()
	for _, rec := range in.Records {
		on.Put(rec)
	}
	explained, unkeyed, err := on.Explain(ctx, ev, in.Known)
	if err != nil {
		return nil, err
	}
	out := &Explanation{
		EventID: ev.ID, Source: ev.Source, Kind: ev.Kind, Format: ev.Format, Model: ev.Model, Operation: ev.Operation,
		CompanyID: ev.CompanyID, Parts: []Part{},
	}
	for _, u := range unkeyed {
		out.Unkeyed = append(out.Unkeyed, u.Reason)
	}
	for _, e := range explained {
		p := Part{Index: e.Index, Routes: e.Routes, Deliveries: []Shown{}}
		if e.Record != nil {
			p.Record, p.Version, p.Deleted = e.Record.Key.String(), e.Record.Version, e.Record.Deleted()
		}
		for _, o := range e.Outputs {
			s := Shown{Delivery: deliveryOf(o)}
			if s.Problem == "" && in.DryRun != nil {
				s.DryRun, err = in.DryRun(ctx, s.Destination, s.batch())
				if err != nil {
					s.Note = err.Error()
				}
			}
			p.Deliveries = append(p.Deliveries, s)
		}
		out.Parts = append(out.Parts, p)
	}
	return out, nil
}

// Keys lists the keys of the records that an event speaks of.
func (r *Rehearsal) Keys(source string, body []byte) ([]event.RecordKey, error) {
	ev, err := r.parse(source, body, time.Now())
	if err != nil {
		return nil, err
	}
	explained, _, err := r.start().Explain(context.Background(), ev, false)
	var out []event.RecordKey
	for _, e := range explained {
		if e.Record != nil {
			out = append(out, e.Record.Key)
		}
	}
	return out, err
}

func (d *Delivery) batch() destination.Batch {
	return destination.Batch{
		Mode: d.part.Mode, Object: d.part.Object, KeyFields: d.part.KeyFields, Types: d.part.Types,
		Records: []destination.Record{d.part.Record},
	}
}
