// Package rehearsal runs events through a configuration in memory: what sluice
// test and sluice routes explain show. The pieces are those of the running
// server (payloads, merge, routes, mappings); no plugin, no ledger and no network
// takes part. It judges nothing that a destination would say.
package rehearsal

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/activities"
	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/config/mapping"
	"github.com/sluicehq/sluice/config/routing"
	"github.com/sluicehq/sluice/internal/event"
	"github.com/sluicehq/sluice/internal/rootfi"
)

// Rehearsal is a configuration that events can be put through.
type Rehearsal struct {
	conf     *config.Config
	table    *routing.Table
	plans    *mapping.Plans
	payloads map[string]activities.Payloads
}

// New compiles the routes of a configuration.
func New(c *config.Config, payloads map[string]activities.Payloads) (*Rehearsal, error) {
	routes := c.Flat()
	table, err := routing.Compile(routes)
	if err != nil {
		return nil, err
	}
	plans, err := mapping.Compile(routes)
	if err != nil {
		return nil, err
	}
	return &Rehearsal{conf: c, table: table, plans: plans, payloads: payloads}, nil
}

func (r *Rehearsal) start() *activities.Rehearsal {
	return activities.NewRehearsal(r.table, r.plans, r.payloads)
}

// parse reads a body as the endpoint does.
func (r *Rehearsal) parse(source string, body []byte, received time.Time) (event.Event, error) {
	name, err := r.Source(source)
	if err != nil {
		return event.Event{}, err
	}
	return rootfi.Parse(name, body, received)
}

// Source returns the source of that name, or the only one.
func (r *Rehearsal) Source(name string) (string, error) {
	known := slices.Sorted(maps.Keys(r.conf.Sources))
	switch {
	case name == "" && len(known) == 1:
		return known[0], nil
	case name == "":
		return "", fmt.Errorf("name the source: one of %v", known)
	case !slices.Contains(known, name):
		return "", fmt.Errorf("there is no source %q; there are %v", name, known)
	}
	return name, nil
}

// Delivery is what a destination gets, or why it gets nothing.
type Delivery struct {
	Destination string                     `json:"destination"`
	Route       string                     `json:"route"`
	Mode        string                     `json:"mode,omitempty"`
	Object      string                     `json:"object,omitempty"`
	Operation   string                     `json:"operation,omitempty"`
	Key         map[string]string          `json:"key,omitempty"`
	Version     int64                      `json:"version,omitempty"`
	Fields      map[string]json.RawMessage `json:"fields,omitempty"`
	Problem     string                     `json:"problem,omitempty"`

	part mapping.Part
}

func deliveryOf(r activities.Rehearsed) Delivery {
	d := Delivery{Destination: r.Destination, Route: r.Route, Problem: r.Problem, part: r.Part}
	if r.Problem != "" {
		return d
	}
	d.Mode, d.Object, d.Operation = string(r.Mode), r.Object, string(r.Record.Operation)
	d.Version, d.Fields = r.Record.Version, r.Record.Fields
	d.Key = make(map[string]string, len(r.KeyFields))
	for i, name := range r.KeyFields {
		d.Key[name] = r.Record.Key[i]
	}
	return d
}
