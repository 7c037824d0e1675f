package sqlstate_test

import (
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/sqlstate"
)

func TestKind(t *testing.T) {
	for state, want := range map[string]destination.ResultKind{
		"22P02": destination.Rejected, "23505": destination.Rejected, "23503": destination.Dependency,
		"28P01": destination.Misconfigured, "42501": destination.Misconfigured, "3D000": destination.Misconfigured,
		"40001": destination.Retry, "57P01": destination.Retry, "": destination.Retry,
	} {
		if got := sqlstate.Kind(state); got != want {
			t.Errorf("%s: %v, want %v", state, got, want)
		}
	}
}
