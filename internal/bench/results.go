package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Results is what a run found, as --json writes it.
type Results struct {
	Machine   Machine
	Scenarios []Result
}

// Result is one scenario. It says itself when and how it was run, since a file
// may hold results of several runs.
type Result struct {
	Scenario string
	Date     time.Time
	Commit   string
	Command  string
	Setup    string // ledger and Temporal
	Metrics  []Metric
	Curves   []Curve `json:",omitempty"`
}

// Metric is one figure.
type Metric struct {
	Group string `json:",omitempty"` // a column of the table; empty if there is one only
	Name  string
	Value float64
	Unit  string
	// Target is what the figure is held against; nil if there is none.
	Target *Target `json:",omitempty"`
}

// Target is a bound of a metric.
type Target struct {
	AtLeast, Below float64 // one of them
}

// Met reports whether the value keeps the target.
func (m Metric) Met() bool {
	if m.Target.Below > 0 {
		return m.Value < m.Target.Below
	}
	return m.Value >= m.Target.AtLeast
}

// Curve is a line of a plot.
type Curve struct {
	Name   string
	Points []Point
}

// Point is one point of a curve.
type Point struct{ X, Y float64 }

// add books a figure. What a name has before its first comma is its group.
func (r *Result) add(name string, value float64, unit string) { r.book(name, value, unit, nil) }

func (r *Result) atLeast(name string, value float64, unit string, bound float64) {
	r.book(name, value, unit, &Target{AtLeast: bound})
}

func (r *Result) below(name string, value float64, unit string, bound float64) {
	r.book(name, value, unit, &Target{Below: bound})
}

func (r *Result) book(name string, value float64, unit string, t *Target) {
	group, rest, grouped := strings.Cut(name, ", ")
	if !grouped {
		group, rest = "", name
	}
	r.Metrics = append(r.Metrics, Metric{Group: group, Name: rest, Value: round(value), Unit: unit, Target: t})
}

// round keeps four digits or so: more would say more than was measured.
func round(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, max(0, 3-math.Floor(math.Log10(math.Abs(v)))))
	return math.Round(v*scale) / scale
}

// quantile is in milliseconds.
func quantile(h *hdrhistogram.Histogram, q float64) float64 {
	return float64(h.ValueAtQuantile(q)) / 1000
}

// distribution is a curve of percentiles: X is 1/(1-q), so that a logarithmic
// axis shows the tail, Y milliseconds.
func distribution(name string, h *hdrhistogram.Histogram) Curve {
	c := Curve{Name: name}
	count := float64(h.TotalCount())
	for x := 1.0; ; x = min(1.25*x, count) {
		c.Points = append(c.Points, Point{X: round(x), Y: round(max(0.01, quantile(h, 100*(1-1/x))))})
		if x >= count {
			return c
		}
	}
}

// Read reads results that --json wrote.
func Read(file string) (*Results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r Results
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return &r, nil
}

// Update adds fresh results to those of a file, which need not be there yet, and
// returns all. Those of the same scenarios are replaced.
func Update(file string, fresh *Results) (*Results, error) {
	all, err := Read(file)
	if errors.Is(err, os.ErrNotExist) {
		all, err = &Results{}, nil
	}
	if err != nil {
		return nil, err
	}
	all.merge(fresh)
	return all, all.write(file)
}

// write writes results, in the order of the scenarios.
func (r *Results) write(file string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

// merge takes over results; what was there of the same scenario goes.
func (r *Results) merge(fresh *Results) {
	r.Machine = fresh.Machine
	for _, f := range fresh.Scenarios {
		r.Scenarios = slices.DeleteFunc(r.Scenarios, func(old Result) bool { return old.Scenario == f.Scenario })
		r.Scenarios = append(r.Scenarios, f)
	}
	slices.SortStableFunc(r.Scenarios, func(a, b Result) int { return place(a.Scenario) - place(b.Scenario) })
}
