package admin

import (
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/sluicehq/sluice/internal/ledger"
)

// Destination is how a destination stands, with its plugin process.
type Destination struct {
	ledger.DestinationState
	Process *Plugin `json:"process,omitempty"` // nil: not in the configuration any more
}

func (a *api) listDestinations(r *http.Request, _ httprouter.Params) (any, error) {
	states, err := a.o.Store.DestinationStates(r.Context())
	if err != nil {
		return nil, err
	}
	byName := make(map[string]ledger.DestinationState)
	for _, s := range states {
		byName[s.Destination] = s
	}
	out := []Destination{}
	for _, p := range a.o.Process.Plugins() {
		s := byName[p.Destination]
		s.Destination = p.Destination
		delete(byName, p.Destination)
		out = append(out, Destination{DestinationState: s, Process: &p})
	}
	for _, s := range states {
		if _, left := byName[s.Destination]; left {
			out = append(out, Destination{DestinationState: s})
		}
	}
	return out, nil
}

// CheckResult is the answer of a destination's check.
type CheckResult struct {
	Destination string `json:"destination"`
	OK          bool   `json:"ok"`
	Problem     string `json:"problem,omitempty"`
}

func (a *api) actOnDestination(r *http.Request, p httprouter.Params) (any, error) {
	name := p.ByName("name")
	known := false
	for _, d := range a.o.Process.Plugins() {
		known = known || d.Destination == name
	}
	if !known {
		return nil, &problem{http.StatusNotFound, "not_found", "no destination of this name is configured"}
	}
	ctx := r.Context()
	switch p.ByName("action") {
	case "check":
		out := CheckResult{Destination: name, OK: true}
		if err := a.o.Process.Check(ctx, name); err != nil {
			out.OK, out.Problem = false, err.Error()
		}
		return out, nil
	case "pause":
		return CheckResult{Destination: name, OK: true}, a.o.Store.Pause(ctx, ledger.Pause{
			Destination: name, Reason: ledger.PauseOperator, Message: "paused by an operator", Since: time.Now(),
		})
	case "resume":
		return CheckResult{Destination: name, OK: true}, a.o.Store.Resume(ctx, name)
	default:
		return nil, &problem{http.StatusNotFound, "not_found", "a destination can be checked, paused and resumed"}
	}
}
