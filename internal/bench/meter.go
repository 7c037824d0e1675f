package bench

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

// meter measures what the parts use while a load runs: the figures that say
// where the limit is.
type meter struct {
	rig   *rig
	begin time.Time
	cpu   map[string]float64 // seconds at the begin
	stop  context.CancelFunc
	over  sync.WaitGroup

	mu   sync.Mutex
	peak map[string]int64
}

// The parts, in the order of the tables.
var parts = []string{"sluice", "plugins", "PostgreSQL", "generator", others}

// others is everything else on the machine: on a quiet one the kernel's own work
// only.
const others = "everything else"

// usage returns CPU seconds and resident bytes per part.
func (r *rig) usage() (cpu map[string]float64, resident map[string]int64, err error) {
	cpu, resident = make(map[string]float64), make(map[string]int64)
	if cpu["generator"], err = ownCPU(); err != nil {
		return nil, nil, err
	}
	take := func(part string, u proc.Usage, problem error) {
		cpu[part] += u.CPU.Seconds()
		resident[part] += u.Resident
		err = errors.Join(err, problem)
	}
	u, problem := proc.UsageOf(r.server.PID())
	take("sluice", u, problem)
	for _, p := range r.server.Plugins() {
		u, problem := proc.UsageOf(p.PID)
		take("plugins", u, problem)
	}
	u, problem = proc.UsageOfTree(r.bench.pg.PID())
	take("PostgreSQL", u, problem)
	machine, problem := proc.MachineCPU()
	cpu[others] = machine.Seconds()
	for part, seconds := range cpu {
		if part != others {
			cpu[others] -= seconds
		}
	}
	return cpu, resident, errors.Join(err, problem)
}

const sampleEvery = 250 * time.Millisecond

func (r *rig) meter(ctx context.Context) (*meter, error) {
	m := &meter{rig: r, begin: time.Now(), peak: make(map[string]int64)}
	var err error
	if m.cpu, m.peak, err = r.usage(); err != nil {
		return nil, err
	}
	ctx, m.stop = context.WithCancel(ctx)
	m.over.Go(func() {
		for sleepUntil(ctx, time.Now().Add(sampleEvery)) {
			u, err := proc.UsageOf(r.server.PID())
			if err != nil {
				return // it ended; whoever waits for it says so
			}
			m.mu.Lock()
			m.peak["sluice"] = max(m.peak["sluice"], u.Resident)
			m.mu.Unlock()
		}
	})
	return m, nil
}

// book ends the measurement and adds it to a result, each figure with a prefix.
func (m *meter) book(to *Result, prefix string) error {
	m.stop()
	m.over.Wait()
	cpu, resident, err := m.rig.usage()
	if err != nil {
		return err
	}
	wall := time.Since(m.begin).Seconds()
	for _, part := range parts {
		to.add(prefix+"CPU "+part, max(0, (cpu[part]-m.cpu[part])/wall), "cores")
	}
	to.add(prefix+"peak memory sluice", mib(max(m.peak["sluice"], resident["sluice"])), "MiB")
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
