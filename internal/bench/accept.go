package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/harness"
	"github.com/sluicehq/sluice/internal/proc"
)

// Baseline serves HTTP until the context ends: it reads each body and answers as
// the endpoint does, and does nothing else. It is what accepting is compared
// with.
func Baseline(ctx context.Context, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := &http.Server{
		ReadHeaderTimeout: requestTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				http.Error(w, "read the body", http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"event_id":"bench0000000000","duplicate":false}`) // a client that left
		}),
	}
	go func() {
		<-ctx.Done()
		s.Close()
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// loops are the numbers of connections.
var loops = []int{32, 256}

func (b *bench) accept(ctx context.Context, to *Result) error {
	if err := b.acceptAlone(ctx, to); err != nil {
		return err
	}
	return b.watched(ctx, setup{}, func(r *rig, w *watch) error { return r.acceptWhileDelivering(ctx, w, to) })
}

func (b *bench) acceptAlone(ctx context.Context, to *Result) error {
	away, err := proc.FreePorts(2)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	handler := &proc.Child{Program: self, Args: []string{"baseline", away[1]}, Log: filepath.Join(b.dir, "baseline.log")}
	if err := handler.Start(); err != nil {
		return err
	}
	defer handler.Kill() // it has nothing to say at its end
	r, err := b.prepare(ctx, setup{temporal: fmt.Sprintf("address: %q", away[0])})
	if err != nil {
		return err
	}
	defer r.close(ctx)
	if err := r.server.Start(); err != nil {
		return err
	}
	if err := r.server.Up(ctx); err != nil {
		return err
	}
	if err := r.server.Wait(ctx, "see the baseline", func() bool {
		conn, err := net.Dial("tcp", away[1])
		if err == nil {
			conn.Close()
		}
		return err == nil
	}); err != nil {
		return err
	}
	limit := pick(b, 10*time.Second, time.Second)
	for _, connections := range loops {
		l := load{connections: connections, records: 1, limit: limit, operation: "CREATE", created: time.Now()}
		base := l
		base.to = target{address: away[1], path: harness.Path, apiKey: harness.APIKey}
		baseline, err := base.run(ctx)
		if err != nil {
			return fmt.Errorf("baseline: %w\n%s", err, handler.LogTail(20))
		}
		m, err := r.meter(ctx)
		if err != nil {
			return err
		}
		s, err := r.send(ctx, l)
		if err != nil {
			return err
		}
		name := func(what string) string { return fmt.Sprintf("%d connections alone, %s", connections, what) }
		if connections == 32 {
			to.atLeast(name("acknowledged"), s.perSecond(), "/s", 15_000)
			to.add(name("p50"), quantile(s.latency, 50), "ms")
			to.below(name("p99"), quantile(s.latency, 99), "ms", 10)
			to.atLeast(name("part of the baseline"), s.perSecond()/baseline.perSecond(), "", 0.25)
		} else {
			to.add(name("acknowledged"), s.perSecond(), "/s")
			to.add(name("p50"), quantile(s.latency, 50), "ms")
			to.add(name("p99"), quantile(s.latency, 99), "ms")
			to.add(name("part of the baseline"), s.perSecond()/baseline.perSecond(), "")
		}
		to.add(name("baseline"), baseline.perSecond(), "/s")
		to.add(name("baseline, p99"), quantile(baseline.latency, 99), "ms")
		if err := m.book(to, name("")); err != nil {
			return err
		}
	}
	return r.stored(ctx)
}

// stored checks that the ledger knows every event that was acknowledged: nobody
// else has it yet.
func (r *rig) stored(ctx context.Context) error {
	status, err := r.server.Client.Status(ctx)
	if err != nil {
		return err
	}
	if status.Backlog.Events != r.events {
		return fmt.Errorf("%d events were acknowledged, the ledger has %d", r.events, status.Backlog.Events)
	}
	return nil
}

func (r *rig) acceptWhileDelivering(ctx context.Context, w *watch, to *Result) error {
	m, err := r.meter(ctx)
	if err != nil {
		return err
	}
	s, err := r.send(ctx, load{connections: 32, records: 1, limit: pick(r.bench, 10*time.Second, time.Second)})
	if err != nil {
		return err
	}
	rows, _, err := w.visible()
	if err != nil {
		return err
	}
	const name = "32 connections while delivering, "
	to.atLeast(name+"acknowledged", s.perSecond(), "/s", 8_000)
	to.add(name+"p50", quantile(s.latency, 50), "ms")
	to.add(name+"p99", quantile(s.latency, 99), "ms")
	to.add(name+"visible meanwhile", float64(rows)/s.took.Seconds(), "/s")
	if err := m.book(to, name); err != nil {
		return err
	}
	if _, err := w.await(ctx, s.messages, 5*time.Minute); err != nil {
		return err
	}
	return r.complete(ctx)
}

func (s *sent) perSecond() float64 { return float64(s.messages) / s.took.Seconds() }
