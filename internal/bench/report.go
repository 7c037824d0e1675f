package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// The lines between which a page holds what [Report] makes.
const (
	beginMark = "<!-- results: made by sluice-bench report, do not edit -->"
	endMark   = "<!-- end of results -->"
)

// grid is the metrics of a result as a table: a row per name, a column per group.
func (r Result) grid() [][]string {
	var names, groups []string
	cells := make(map[[2]string]string)
	for _, m := range r.Metrics {
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
		if !slices.Contains(groups, m.Group) {
			groups = append(groups, m.Group)
		}
		cells[[2]string{m.Name, m.Group}] = m.text()
	}
	out := [][]string{append([]string{""}, groups...)}
	for _, name := range names {
		row := []string{name}
		for _, group := range groups {
			row = append(row, cells[[2]string{name, group}])
		}
		out = append(out, row)
	}
	return out
}

func (m Metric) text() string {
	text := withUnit(m.Value, m.Unit)
	if m.Target == nil {
		return text
	}
	sign, bound, verdict := "≥", m.Target.AtLeast, "missed"
	if m.Target.Below > 0 {
		sign, bound = "<", m.Target.Below
	}
	if m.Met() {
		verdict = "met"
	}
	return fmt.Sprintf("%s (%s %s: %s)", text, sign, withUnit(bound, m.Unit), verdict)
}

func withUnit(v float64, unit string) string {
	return strings.TrimSpace(figure(v) + " " + unit)
}

// figure writes a number with as many digits as people want to read.
func figure(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000:
		s := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
		for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	case a >= 100 || a == math.Trunc(a):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// Table writes a result for people.
func Table(w io.Writer, r Result) error {
	s := scenarios[place(r.Scenario)]
	fmt.Fprintf(w, "\n%s (%s, %s)\n", s.title, s.name, r.Setup)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, row := range r.grid() {
		if i == 0 && strings.Join(row, "") == "" {
			continue
		}
		fmt.Fprintln(t, "  "+strings.Join(row, "\t"))
	}
	return t.Flush()
}

// Markdown writes results as the part of a page.
func Markdown(r *Results) string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Machine: %d cores (%s), %d GiB of memory, %s, %s; PostgreSQL %s, %s.\n",
		m.Cores, m.CPU, m.MemoryGiB, m.System, m.FileSystem, m.PostgreSQL, m.Go)
	for _, result := range r.Scenarios {
		s := scenarios[place(result.Scenario)]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", s.title, s.what)
		for i, row := range result.grid() {
			if i == 0 && len(row) == 2 && row[1] == "" {
				row[1] = "result"
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				fmt.Fprintf(&b, "| --- |%s\n", strings.Repeat(" --- |", len(row)-1))
			}
		}
		for _, p := range plots {
			if p.scenario == result.Scenario {
				fmt.Fprintf(&b, "\n![%s](benchmarks/%s)\n", p.title, p.file)
			}
		}
		fmt.Fprintf(&b, "\n%s, commit %s, %s: `%s`\n", result.Date.Format("2006-01-02 15:04 UTC"), result.Commit, result.Setup, result.Command)
	}
	return b.String()
}

// Report puts results into a page, between its marks.
func Report(page string, r *Results) (string, error) {
	before, rest, begins := strings.Cut(page, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return "", fmt.Errorf("the page has no lines %q and %q", beginMark, endMark)
	}
	return before + beginMark + "\n\n" + Markdown(r) + "\n" + endMark + after, nil
}
