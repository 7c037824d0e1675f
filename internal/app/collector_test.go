package app

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/ledger"
)

// figures are a ledger of which only these numbers are asked.
type figures struct {
	ledger.Reader
	states []ledger.DestinationState
}

func (figures) Backlog(context.Context) (ledger.Backlog, error) { return ledger.Backlog{}, nil }

func (f figures) DestinationStates(context.Context) ([]ledger.DestinationState, error) {
	return f.states, nil
}

func TestLagAndPauseOfEachDestination(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(&ledgerCollector{log: slog.New(slog.DiscardHandler), ledger: figures{states: []ledger.DestinationState{
		{Destination: "late", OldestSince: time.Now().Add(-time.Hour), Pause: &ledger.Pause{Reason: ledger.PauseMisconfigured}},
		{Destination: "idle", Parts: []ledger.Pause{{Scope: ledger.ScopeObject, Part: "a"}, {Scope: ledger.ScopeObject, Part: "b"}}},
		{Destination: "down", Pause: &ledger.Pause{Reason: ledger.PauseDown, Until: time.Unix(1700000000, 0)}},
		{Destination: "future", OldestSince: time.Now().Add(time.Hour)}, // a clock that was wrong
	}}})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			series := f.GetName()
			for _, l := range m.GetLabel() {
				series += " " + l.GetValue()
			}
			got[series] = m.GetGauge().GetValue()
		}
	}
	if lag := got["sluice_delivery_lag_seconds late"]; lag < 3600 || lag > 3700 {
		t.Errorf("the lag is %v", lag)
	}
	for series, want := range map[string]float64{
		"sluice_delivery_lag_seconds idle":             0,
		"sluice_delivery_lag_seconds future":           0,
		"sluice_destination_paused late misconfigured": 1,
		"sluice_destination_paused late operator":      0,
		"sluice_destination_paused late throttled":     0,
		"sluice_destination_paused idle misconfigured": 0,
		"sluice_destination_paused down down":          1,
		"sluice_destination_paused down restarting":    0,
		"sluice_destination_paused_until_seconds down": 1700000000,
		"sluice_destination_paused_until_seconds idle": 0,
		"sluice_destination_paused_parts idle object":  2,
		"sluice_destination_paused_parts idle account": 0,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s = %v (%t), want %v", series, v, ok, want)
		}
	}
}
