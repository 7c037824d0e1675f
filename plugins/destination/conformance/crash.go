package conformance

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

// moments of a Write at which the process is killed. The last one is after the
// answer, which is lost too then.
func moments() []time.Duration {
	return []time.Duration{time.Millisecond, 10 * time.Millisecond, writing}
}

func crash(t T, s *suite) {
	batch := numbered(min(s.limit(), 200))
	if s.crashes(t, batch) {
		s.wantLiving(t, len(batch.Records))
	}
}

func crashAppending(t T, s *suite) {
	batch := changes()
	for i := range min(s.limit(), 50) {
		batch.Records = append(batch.Records, change(int64(i+1), "a", "UPDATE", fmt.Sprintf(`{"units":%d}`, i)))
	}
	if s.crashes(t, batch) {
		s.wantAppended(t, object, len(batch.Records))
	}
}

// crashes has the process killed in writes of the batch, and then has it written.
func (s *suite) crashes(t T, batch destination.Batch) bool {
	for _, moment := range moments() {
		d := s.start(t)
		p, ok := d.Destination.(Process)
		if !ok {
			s.notRun("it does not run in a process of its own")
			return false
		}
		ended := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), writing)
		go func() {
			defer close(ended)
			_, _ = d.Write(ctx, batch) // its answer is what gets lost
		}()
		select {
		case <-time.After(moment):
		case <-ended:
		}
		if err := p.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		<-ended
		cancel()
		d.close(t)
	}
	deliver(t, s.start(t), batch)
	return true
}
