package host

import (
	"context"
	"fmt"
)

// Replace gives a destination a new process with another specification. The old
// one ends its calls and is gone before the new one is launched, since both may
// want the same files; calls that come meanwhile wait. A destination that is not
// there is started.
//
// If the new plugin cannot be used at all, the old one stays and is not touched.
// Any other error is as with [Host.Start]: the new specification is in place and
// the host keeps trying.
func (h *Host) Replace(ctx context.Context, spec Spec) error {
	if err := h.replace(ctx, spec); err != nil {
		return fmt.Errorf("destination %s: plugin %s: %w", spec.Destination, spec.Plugin, err)
	}
	return nil
}

func (h *Host) replace(ctx context.Context, spec Spec) error {
	var old *process
	p, err := h.prepare(spec, func() {
		if old != nil {
			_ = old.stop(ctx) // that calls were cut off is known to who made them
		}
	})
	if err != nil {
		return err
	}
	h.mu.Lock()
	if h.stopped {
		h.mu.Unlock()
		p.close()
		return errHostStopped
	}
	old = h.processes[spec.Destination]
	h.processes[spec.Destination] = p
	if old != nil {
		p.previous = old.program.share()
	}
	p.begin(ctx)
	h.mu.Unlock()
	return p.ready(ctx)
}
