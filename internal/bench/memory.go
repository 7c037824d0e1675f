package bench

import (
	"context"
	"fmt"
	"time"
)

func (b *bench) memory(ctx context.Context, to *Result) error {
	full, err := b.newRig(ctx, setup{})
	if err != nil {
		return err
	}
	defer full.close(ctx)
	name := "with embedded Temporal"
	if b.o.Temporal != embedded {
		name = "with an external Temporal"
	}
	if err := full.idle(ctx, to, name, 0); err != nil {
		return err
	}
	if b.o.Slim == "" {
		return nil
	}
	// The first server is the Temporal of the second one, which takes its tasks
	// from a queue of its own.
	slim, err := b.newRig(ctx, setup{
		sluice: b.o.Slim, temporal: fmt.Sprintf("address: %q, task_queue: slim", full.server.Temporal),
	})
	if err != nil {
		return err
	}
	defer slim.close(ctx)
	return slim.idle(ctx, to, "slim with an external Temporal", 60)
}

// idle books the memory of a server that has nothing to do, after a while.
func (r *rig) idle(ctx context.Context, to *Result, name string, target float64) error {
	sleepUntil(ctx, time.Now().Add(pick(r.bench, 15*time.Second, time.Second)))
	_, resident, err := r.usage()
	if err != nil {
		return err
	}
	if target > 0 {
		to.below(name+", sluice", mib(resident["sluice"]), "MiB", target)
	} else {
		to.add(name+", sluice", mib(resident["sluice"]), "MiB")
	}
	to.add(name+", PostgreSQL plugin", mib(resident["plugins"]), "MiB")
	return nil
}
