package routing

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

// ExplainRecord returns every route's verdict on a record, in the order in which
// they are asked.
func (t *Table) ExplainRecord(in RecordInput) []Verdict {
	return t.explain(ModeRecords, in.event())
}

// ExplainEvent returns every route's verdict on a change or an event, in the
// order in which they are asked, as Appends decides.
func (t *Table) ExplainEvent(in EventInput) []Verdict {
	mode, in := modeOf(in)
	return t.explain(mode, in)
}

func (t *Table) explain(mode Mode, in EventInput) []Verdict {
	out := make([]Verdict, len(t.routes))
	var candidates []*route
	for i := range t.routes {
		r := &t.routes[i]
		out[i] = Verdict{Route: r.name, Reason: r.refuses(mode, in)}
		if out[i].Reason == "" {
			out[i].Reason = t.elsewhere(r, mode, in)
		}
		if out[i].Reason == "" {
			candidates = append(candidates, r)
		}
	}
	t.decide(mode, in, candidates, func(r *route, v Verdict) {
		for i := range t.routes {
			if &t.routes[i] == r {
				out[i] = v
			}
		}
	})
	return out
}

// ModeOf returns the mode of a route, "" if the table has no such route.
func (t *Table) ModeOf(name string) Mode {
	for i := range t.routes {
		if t.routes[i].name == name {
			return t.routes[i].mode
		}
	}
	return ""
}
