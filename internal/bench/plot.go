package bench

import (
	"fmt"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// picture is a plot of one scenario.
type picture struct {
	scenario, file, title string
	draw                  func(p *plot.Plot, r Result) error
}

var plots = []picture{
	{"accept", "accept.svg", "Acknowledged per second", drawAccept},
	{"rates", "latency.svg", "From the planned moment to visible in PostgreSQL", drawLatency},
	{"burst", "burst.svg", "Burst: acknowledged and visible over time", drawBurst},
}

// Plot draws the pictures of the results into a folder, as SVG.
func Plot(r *Results, dir string) error {
	for _, result := range r.Scenarios {
		for _, picture := range plots {
			if picture.scenario != result.Scenario {
				continue
			}
			p := plot.New()
			p.Title.Text, p.Title.Padding = picture.title, vg.Points(6)
			p.BackgroundColor = color.White
			if err := picture.draw(p, result); err != nil {
				return fmt.Errorf("draw %s: %w", picture.file, err)
			}
			if err := p.Save(16*vg.Centimeter, 10*vg.Centimeter, filepath.Join(dir, picture.file)); err != nil {
				return fmt.Errorf("draw %s: %w", picture.file, err)
			}
		}
	}
	return nil
}

func lines(p *plot.Plot, curves []Curve) error {
	for i, c := range curves {
		points := make(plotter.XYs, len(c.Points))
		for j, at := range c.Points {
			points[j] = plotter.XY(at)
		}
		l, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		l.Color, l.Width = plotutil.Color(i), vg.Points(1.5)
		p.Add(l)
		p.Legend.Add(c.Name, l)
	}
	return nil
}

func drawLatency(p *plot.Plot, r Result) error {
	p.X.Label.Text, p.Y.Label.Text = "percentile", "milliseconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker = plot.ConstantTicks{
		{Value: 1, Label: "0"}, {Value: 2, Label: "50"}, {Value: 10, Label: "90"}, {Value: 100, Label: "99"},
		{Value: 1000, Label: "99.9"}, {Value: 10_000, Label: "99.99"},
	}
	p.Y.Tick.Marker = plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	return lines(p, r.Curves)
}

func drawBurst(p *plot.Plot, r Result) error {
	p.X.Label.Text, p.Y.Label.Text = "seconds since the first webhook", "webhooks"
	p.X.Min, p.Y.Min = 0, 0
	p.Add(plotter.NewGrid())
	return lines(p, r.Curves)
}

func drawAccept(p *plot.Plot, r Result) error {
	var values plotter.Values
	var names []string
	for _, m := range r.Metrics {
		if m.Unit == "/s" && !strings.Contains(m.Name, "meanwhile") {
			values = append(values, m.Value)
			connections, how, _ := strings.Cut(m.Group, " connections ")
			if m.Name != "acknowledged" {
				how = m.Name
			}
			names = append(names, connections+" "+how)
		}
	}
	bars, err := plotter.NewBarChart(values, vg.Points(36))
	if err != nil {
		return err
	}
	bars.Color = plotutil.Color(2)
	bars.LineStyle.Width = 0
	p.Y.Label.Text, p.X.Label.Text, p.Y.Min = "per second", "connections", 0
	p.Add(bars)
	p.NominalX(names...)
	return nil
}
