package routing

import "github.com/sluicehq/sluice/internal/event"

// Verdict is what one route says to an input.
type Verdict struct {
	Route   string  `json:"route"`
	Matched bool    `json:"matched"`
	Reason  string  `json:"reason,omitempty"` // why not
	Matches []Match `json:"matches,omitempty"`
	// Shadowed names destinations of a matching route that an earlier route
	// delivers to already.
	Shadowed []string `json:"shadowed,omitempty"`
}

// ExplainRecord returns every route's verdict on a record, in file order.
func (t *Table) ExplainRecord(in RecordInput) []Verdict {
	return t.explain(ModeRecords, EventInput{
		Source: in.Source, Kind: event.KindDataModelChanges, Model: in.Model,
		CompanyID: in.CompanyID, Integration: in.Integration, Operation: in.Operation,
	})
}

// ExplainEvent returns every route's verdict on a change or an event, in file
// order, as Appends decides.
func (t *Table) ExplainEvent(in EventInput) []Verdict {
	if in.Kind == event.KindDataModelChanges {
		return t.explain(ModeChanges, in)
	}
	in.Model, in.Operation = "", ""
	return t.explain(ModeEvents, in)
}

func (t *Table) explain(mode Mode, in EventInput) []Verdict {
	out := make([]Verdict, 0, len(t.routes))
	taken := make(map[string]bool)
	for i := range t.routes {
		r := &t.routes[i]
		v := Verdict{Route: r.name, Reason: r.refuses(mode, in)}
		if v.Matched = v.Reason == ""; v.Matched {
			own := make(map[string]bool, len(r.to))
			for _, d := range r.to {
				switch {
				case own[d]:
				case taken[d]:
					v.Shadowed = append(v.Shadowed, d)
				default:
					v.Matches = append(v.Matches, Match{Route: r.name, Destination: d, Object: r.objectFor(mode, in.Model), Mode: mode})
				}
				own[d] = true
			}
			for d := range own {
				taken[d] = true
			}
		}
		out = append(out, v)
	}
	return out
}
