package serve

import (
	"context"
	"os"
	"runtime"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Metrics gives the figures of the process, and the author's if there are any.
func (g *guard) Metrics(ctx context.Context) ([]destination.Metric, error) {
	list := processMetrics()
	meter, ok := g.destination.(destination.Meter)
	if !ok {
		return list, nil
	}
	err := g.call(ctx, "metrics", func(ctx context.Context) error {
		more, err := meter.Metrics(ctx)
		list = append(list, more...)
		return err
	})
	return list, err
}

func processMetrics() []destination.Metric {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	list := []destination.Metric{
		{Name: "goroutines", Value: float64(runtime.NumGoroutine())},
		{Name: "heap_bytes", Value: float64(memory.HeapAlloc)},
		{Name: "collections_total", Value: float64(memory.NumGC)},
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		list = append(list, destination.Metric{Name: "open_files", Value: float64(len(files))})
	}
	return list
}
