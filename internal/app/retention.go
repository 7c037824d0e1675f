package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluicehq/sluice/internal/ledger"
)

const pruneEvery = time.Hour

// runRetention removes old events from time to time.
func (a *App) runRetention(ctx context.Context) {
	for {
		if keep := a.conf.Ledger.Retention; keep > 0 && a.prunes(ctx) {
			pruned, err := a.ledger.Prune(ctx, time.Now().Add(-keep))
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				a.log.Error("remove old events", "err", err)
			case pruned.Events > 0:
				a.log.Info("old events removed", "events", pruned.Events, "deliveries", pruned.Deliveries)
			}
		}
		sleep(ctx, pruneEvery)
		if ctx.Err() != nil {
			return
		}
	}
}

// taskPrune names the removal among the tasks of all instances. Stored; never rename.
const taskPrune = "prune"

// prunes reports whether this instance is the one that removes old events.
func (a *App) prunes(ctx context.Context) bool {
	if a.shared == nil {
		return true
	}
	ok, err := a.shared.Lead(ctx, taskPrune, pruneEvery)
	if err != nil && ctx.Err() == nil {
		a.log.Error("ask whether to remove old events", "err", err)
	}
	return ok
}

// ledgerCollector reads gauges from the ledger when metrics are asked for.
type ledgerCollector struct {
	ledger ledger.Reader
	log    *slog.Logger
}

var (
	backlogEvents  = prometheus.NewDesc("sluice_backlog_events", "Accepted events that are not merged yet.", nil, nil)
	backlogSeconds = prometheus.NewDesc("sluice_backlog_age_seconds", "Age of the oldest accepted event that is not merged yet.", nil, nil)
	deliveries     = prometheus.NewDesc("sluice_deliveries", "Deliveries by state: waiting, delivered or dead.", []string{"destination", "state"}, nil)
	lag            = prometheus.NewDesc("sluice_delivery_lag_seconds", "Age of the oldest delivery that waits for the destination.", []string{"destination"}, nil)
	paused         = prometheus.NewDesc("sluice_destination_paused", "1 while the destination is paused for this reason.", []string{"destination", "reason"}, nil)
	pausedParts    = prometheus.NewDesc("sluice_destination_paused_parts", "Objects or accounts of the destination that are paused, by scope.", []string{"destination", "scope"}, nil)
	pausedUntil    = prometheus.NewDesc("sluice_destination_paused_until_seconds", "When the pause ends or the next probe is, in seconds since 1970; 0 without a pause or an end.", []string{"destination"}, nil)
)

// Describe implements prometheus.Collector.
func (c *ledgerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backlogEvents, backlogSeconds, deliveries, lag, paused, pausedParts, pausedUntil} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *ledgerCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b, err := c.ledger.Backlog(ctx)
	if err != nil {
		c.log.Error("read the backlog for metrics", "err", err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(backlogEvents, float64(b.Events))
	gauge(backlogSeconds, age(b.Oldest))
	states, err := c.ledger.DestinationStates(ctx)
	if err != nil {
		c.log.Error("count deliveries for metrics", "err", err)
		return
	}
	for _, s := range states {
		gauge(deliveries, float64(s.Waiting), s.Destination, "waiting")
		gauge(deliveries, float64(s.Delivered), s.Destination, "delivered")
		gauge(deliveries, float64(s.Dead), s.Destination, "dead")
		gauge(lag, age(s.OldestSince), s.Destination)
		for _, reason := range ledger.PauseReasons() {
			isPaused := 0.0
			if s.Pause != nil && s.Pause.Reason == reason {
				isPaused = 1
			}
			gauge(paused, isPaused, s.Destination, reason)
		}
		until := 0.0
		if s.Pause != nil && !s.Pause.Until.IsZero() {
			until = float64(s.Pause.Until.Unix())
		}
		gauge(pausedUntil, until, s.Destination)
		for _, scope := range []string{ledger.ScopeObject, ledger.ScopeAccount} {
			n := 0
			for _, p := range s.Parts {
				if p.Scope == scope {
					n++
				}
			}
			gauge(pausedParts, float64(n), s.Destination, scope)
		}
	}
}

// age of what began at t, and 0 for what has not begun.
func age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, time.Since(t).Seconds())
}
