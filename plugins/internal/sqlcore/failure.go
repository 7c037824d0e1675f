package sqlcore

import (
	"errors"
	"fmt"

	"github.com/sluicehq/sluice/plugins/destination"
)

// errUnsettled says that the table changes faster than it can be looked at.
var errUnsettled = errors.New("the table is being changed by somebody else all the time")

func resultKind(k FaultKind) destination.ResultKind {
	switch k {
	case Bad, Refused:
		return destination.Rejected
	case Orphan:
		return destination.Dependency
	case Setup:
		return destination.Misconfigured
	case Busy:
		return destination.Throttled
	default:
		return destination.Retry
	}
}

// Failure returns the error of a call that wrote nothing, with its kind.
func (w *Writer) Failure(operation string, err error) error {
	if errors.Is(err, errForeign) {
		return failure(destination.Misconfigured, "FOREIGN_TABLE", err)
	}
	fault := w.db.Fault(err)
	kind := resultKind(fault.Kind)
	if kind == destination.Rejected || kind == destination.Dependency {
		kind = destination.Misconfigured // no record is to blame for the table
	}
	return &destination.Failure{Kind: kind, Code: fault.Code, Until: fault.Until, Err: fmt.Errorf("%s: %w", operation, err)}
}

func failure(kind destination.ResultKind, code string, err error) error {
	return &destination.Failure{Kind: kind, Code: code, Err: err}
}
