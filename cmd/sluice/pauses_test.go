package main

import (
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/ledger"
)

func TestPausesText(t *testing.T) {
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.Local)
	until := since.Add(20 * time.Hour)
	part := ledger.Pause{Scope: ledger.ScopeObject, Part: "invoices", Reason: ledger.PauseThrottled, Message: "slow", Since: since, Until: until}
	for name, tt := range map[string]struct {
		state ledger.DestinationState
		want  string
	}{
		"none":        {ledger.DestinationState{}, ""},
		"by somebody": {ledger.DestinationState{Pause: &ledger.Pause{Reason: ledger.PauseOperator, Message: "m", Since: since}}, "operator: m (since 2026-03-01 12:00:00)"},
		"daily quota": {ledger.DestinationState{Pause: &ledger.Pause{Reason: ledger.PauseThrottled, Message: "DAILY", Since: since, Until: until}},
			"throttled: DAILY (since 2026-03-01 12:00:00, until 2026-03-02 08:00:00)"},
		"down": {ledger.DestinationState{Pause: &ledger.Pause{Reason: ledger.PauseDown, Message: "m", Since: since, Until: until}},
			"down: m (since 2026-03-01 12:00:00, next probe 2026-03-02 08:00:00)"},
		"parts": {ledger.DestinationState{Parts: []ledger.Pause{part}}, "object invoices throttled: slow (since 2026-03-01 12:00:00, until 2026-03-02 08:00:00)"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := pausesText(tt.state); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
