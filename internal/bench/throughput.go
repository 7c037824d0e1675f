package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// senders is how many connections bring one-record webhooks. Each waits for its
// answer, and answers come by the group: with few of them it is their number that
// is measured.
const senders = 128

// stream is a sustained load.
type stream struct {
	connections int
	records     int   // per message
	window      int64 // records under way at most
	target      float64
}

func (b *bench) sustained(ctx context.Context, to *Result) error {
	for _, s := range []stream{{senders, 1, 6_000, 5_000}, {32, 100, 20_000, 15_000}, {32, 500, 20_000, 0}} {
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
			connections: s.connections, records: s.records, limit: warm + measured + time.Second,
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

func (b *bench) isolation(ctx context.Context, to *Result) error {
	hang, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		return err
	}
	defer hang.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	throttle := &http.Server{ReadHeaderTimeout: requestTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	})}
	served := make(chan error, 1)
	go func() { served <- throttle.Serve(l) }()
	defer func() {
		throttle.Close()
		<-served
	}()
	webhook := "  %s:\n    plugin: webhook\n    config: {url: 'http://%s/', timeout: 10s, allow_networks: [127.0.0.0/8]}\n"
	const hindered = "beside a hanging and a throttled one"
	setups := map[string]setup{hindered: {
		destinations: fmt.Sprintf(webhook, "hanging", hang.Addr()) + fmt.Sprintf(webhook, "throttled", l.Addr()),
		to:           ", hanging, throttled",
	}}
	rates := make(map[string]float64)
	for _, name := range []string{"alone", hindered} {
		if rates[name], err = b.sustain(ctx, setups[name], stream{connections: senders, records: 1, window: 6_000}, to, name); err != nil {
			return err
		}
	}
	if rates["alone"] == 0 { // possible in the short time of a quick run
		return nil
	}
	to.add(hindered+", of the rate alone", 100*rates[hindered]/rates["alone"], "%")
	return nil
}
