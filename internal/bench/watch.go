package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// table is where the invoices arrive.
const table = `"books"."invoices"`

// The destination itself says what it has: a trigger per statement notifies, and
// PostgreSQL sends notifications after the commit, when every reader sees the
// rows. The moment that counts is when the notification has arrived here. Two
// forms: with the ids of the rows, for latencies, and with their number only,
// which costs the destination less. The clock makes equal numbers differ;
// PostgreSQL would send equal ones once.
const (
	notifyIDs = `PERFORM pg_notify('visible', string_agg(_platform_id, ' ')) FROM (
		SELECT _platform_id, (row_number() OVER () - 1) / 300 AS part FROM fresh) AS parts GROUP BY part;`
	notifyCounts = `PERFORM pg_notify('visible', count(*) || ' ' || clock_timestamp()::text) FROM fresh HAVING count(*) > 0;`
)

// watch follows what becomes visible.
type watch struct {
	stop context.CancelFunc
	over chan struct{}

	mu    sync.Mutex
	rows  int64
	last  time.Time
	curve []Point // cumulated, from begin
	begin time.Time
	err   error
	ids   func(record int64, at time.Time)
}

// newWatch installs the triggers and listens. With ids it is called for each row,
// else rows are only counted.
func newWatch(ctx context.Context, url string, ids func(record int64, at time.Time)) (*watch, error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	body := notifyCounts
	if ids != nil {
		body = notifyIDs
	}
	for _, statement := range []string{
		`CREATE OR REPLACE FUNCTION bench_visible() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ` + body + ` RETURN NULL; END $$`,
		`CREATE OR REPLACE TRIGGER bench_inserted AFTER INSERT ON ` + table + ` REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION bench_visible()`,
		`CREATE OR REPLACE TRIGGER bench_updated AFTER UPDATE ON ` + table + ` REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION bench_visible()`,
		`LISTEN visible`,
	} {
		if _, err := c.Exec(ctx, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("watch the destination: %w", err), c.Close(ctx))
		}
	}
	listening, stop := context.WithCancel(ctx)
	w := &watch{stop: stop, over: make(chan struct{}), begin: time.Now(), ids: ids}
	go func() {
		defer close(w.over)
		for {
			n, err := c.WaitForNotification(listening)
			if err != nil {
				if listening.Err() == nil {
					w.fail(err)
				}
				_ = c.Close(context.WithoutCancel(ctx))
				return
			}
			w.saw(n.Payload, time.Now())
		}
	}()
	return w, nil
}

func (w *watch) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *watch) saw(payload string, at time.Time) {
	words := strings.Fields(payload)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids == nil {
		n, err := strconv.ParseInt(words[0], 10, 64)
		if err != nil {
			w.err = fmt.Errorf("a strange notification: %q", payload)
		}
		w.rows += n
	} else {
		for _, word := range words {
			n, err := strconv.ParseInt(strings.TrimPrefix(word, recordStart), 10, 64)
			if err != nil {
				w.err = fmt.Errorf("a strange notification: %q", payload)
				continue
			}
			w.rows++
			w.ids(n, at)
		}
	}
	w.last = at
	if n := len(w.curve); n == 0 || at.Sub(w.begin).Seconds()-w.curve[n-1].X > 0.02 {
		w.curve = append(w.curve, Point{X: at.Sub(w.begin).Seconds(), Y: float64(w.rows)})
	} else {
		w.curve[n-1].Y = float64(w.rows)
	}
}

// visible is how many rows were seen, and when the last one was.
func (w *watch) visible() (rows int64, last time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rows, w.last, w.err
}

// await waits until so many rows were seen.
func (w *watch) await(ctx context.Context, rows int64, limit time.Duration) (time.Time, error) {
	deadline := time.Now().Add(limit)
	for {
		got, last, err := w.visible()
		switch {
		case err != nil:
			return last, err
		case got >= rows:
			return last, nil
		case time.Now().After(deadline):
			return last, fmt.Errorf("after %v only %d of %d rows are visible in PostgreSQL", limit, got, rows)
		case !sleepUntil(ctx, time.Now().Add(5*time.Millisecond)):
			return last, context.Cause(ctx)
		}
	}
}

// points returns the curve, with moments from begin on.
func (w *watch) points(begin time.Time) []Point {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Point, len(w.curve))
	for i, p := range w.curve {
		out[i] = Point{X: round(p.X - begin.Sub(w.begin).Seconds()), Y: p.Y}
	}
	return out
}

func (w *watch) close() {
	w.stop()
	<-w.over
}
