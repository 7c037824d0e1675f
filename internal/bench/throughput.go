package bench

import (
	"context"
	"fmt"
	"time"
)

// senders is how many connections bring one-record webhooks. Each waits for its
// answer, and answers come by the group: with few of them it is their number that
// is measured.
const senders = 128

// stream is a sustained load.
type stream struct {
	connections int
	records     int     // per message
	window      int64   // records under way at most
	rate        float64 // messages per second; 0: as many as the window lets through
	target      float64
}

func (b *bench) sustained(ctx context.Context, to *Result) error {
	for _, s := range []stream{
		{connections: senders, records: 1, window: 6_000, target: 5_000},
		{connections: 32, records: 100, window: 20_000, target: 15_000},
		{connections: 32, records: 500, window: 20_000},
	} {
		name := fmt.Sprintf("%d records per message", s.records)
		if s.records == 1 {
			name = "1 record per message"
		}
		if _, err := b.sustain(ctx, setup{}, s, to, name); err != nil {
			return err
		}
	}
	return nil
}

// sustain measures a stream on a rig of its own.
func (b *bench) sustain(ctx context.Context, on setup, s stream, to *Result, name string) (rate float64, err error) {
	err = b.watched(ctx, on, func(r *rig, w *watch) (err error) {
		rate, err = r.sustain(ctx, w, s, to, name+", ")
		return err
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return rate, err
}

// sustain keeps the window full, and returns how many records per second became
// visible after a time of warming up.
func (r *rig) sustain(ctx context.Context, w *watch, s stream, to *Result, prefix string) (float64, error) {
	warm, measured := pick(r.bench, 4*time.Second, 500*time.Millisecond), pick(r.bench, 15*time.Second, time.Second)
	type outcome struct {
		sent *sent
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		out, err := r.send(ctx, load{
			connections: s.connections, records: s.records, limit: warm + measured + time.Second, rate: s.rate,
			room: func(sent int64) bool {
				rows, _, _ := w.visible()
				return (sent+1)*int64(s.records)-rows <= s.window
			},
		})
		done <- outcome{out, err}
	}()
	sleepUntil(ctx, time.Now().Add(warm))
	m, err := r.meter(ctx)
	if err != nil {
		return 0, err
	}
	from, _, _ := w.visible()
	begin := time.Now()
	sleepUntil(ctx, begin.Add(measured))
	rows, _, _ := w.visible()
	rate := float64(rows-from) / time.Since(begin).Seconds()
	to.add(prefix+"connections", float64(s.connections), "")
	if s.target > 0 {
		to.atLeast(prefix+"visible", rate, "records/s", s.target)
	} else {
		to.add(prefix+"visible", rate, "records/s")
	}
	if err := m.book(to, prefix); err != nil {
		return 0, err
	}
	o := <-done
	if o.err != nil {
		return 0, o.err
	}
	if _, err := w.await(ctx, o.sent.messages*int64(s.records), 2*time.Minute); err != nil {
		return 0, err
	}
	return rate, r.complete(ctx)
}

func (b *bench) burst(ctx context.Context, to *Result) error {
	return b.watched(ctx, setup{}, func(r *rig, w *watch) error { return r.burst(ctx, w, to) })
}

func (r *rig) burst(ctx context.Context, w *watch, to *Result) error {
	m, err := r.meter(ctx)
	if err != nil {
		return err
	}
	total := pick(r.bench, int64(100_000), int64(2_000))
	acks := make(chan time.Time, total)
	s, err := r.send(ctx, load{
		connections: senders, records: 1, count: total, acknowledged: func(at time.Time) { acks <- at },
	})
	if err != nil {
		return err
	}
	last, err := w.await(ctx, total, 5*time.Minute)
	if err != nil {
		return err
	}
	to.add("connections", senders, "")
	to.add("webhooks", float64(total), "")
	to.add("all acknowledged after", s.took.Seconds(), "s")
	to.below("all visible after", last.Sub(s.begin).Seconds(), "s", 25)
	to.add("acknowledged", s.perSecond(), "/s")
	to.add("visible", float64(total)/last.Sub(s.begin).Seconds(), "/s")
	to.add("turned away and sent again", float64(s.refused), "")
	if err := m.book(to, ""); err != nil {
		return err
	}
	close(acks)
	acknowledged, n := Curve{Name: "acknowledged"}, 0
	for at := range acks {
		if n++; n%max(1, int(total)/200) == 0 {
			acknowledged.Points = append(acknowledged.Points, Point{X: round(at.Sub(s.begin).Seconds()), Y: float64(n)})
		}
	}
	to.Curves = []Curve{acknowledged, {Name: "visible in PostgreSQL", Points: thin(w.points(s.begin), 200)}}
	return r.complete(ctx)
}

// thin keeps about n of the points, and the last one.
func thin(all []Point, n int) []Point {
	var out []Point
	for i, p := range all {
		if i%(len(all)/n+1) == 0 || i == len(all)-1 {
			out = append(out, p)
		}
	}
	return out
}
