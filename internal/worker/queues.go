package worker

import "maps"

// SetDestinations replaces the destinations whose task queues are worked on. The
// worker of a queue that is gone, or is to be worked on in another way, stops
// after its attempts under way; [Pauses] starts those that are missing.
func (w *Workers) SetDestinations(queues map[string]Queue) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, old := range w.o.Destinations {
		got := w.destinations[name]
		if q, ok := queues[name]; ok && q == old || got == nil {
			continue
		}
		delete(w.destinations, name)
		if !w.stopped {
			w.stopping.Go(got.Stop)
		}
	}
	w.o.Destinations = maps.Clone(queues)
}
