package conformance

import (
	"slices"

	"github.com/sluicehq/sluice/plugins/destination"
)

// Report is one run of all cases. It holds no times and no paths, so that two
// runs of one plugin are equal.
type Report struct {
	Plugin          string                   `json:"plugin"`
	Version         string                   `json:"version"`
	Capabilities    []destination.Capability `json:"capabilities"`
	MaxBatchRecords int                      `json:"max_batch_records,omitempty"`
	MaxBatchBytes   int                      `json:"max_batch_bytes,omitempty"`
	// Variant names the settings or the way of this run where there are several.
	Variant string    `json:"variant,omitempty"`
	Cases   []Outcome `json:"cases"`
}

// Outcome is what became of one case.
type Outcome struct {
	Case     string   `json:"case"`
	Group    string   `json:"group"`
	Title    string   `json:"title"`
	Result   Result   `json:"result"`
	Note     string   `json:"note,omitempty"`     // the reason, or what was seen
	Problems []string `json:"problems,omitempty"` // with Failed
}

// NewReport is a report about what describes itself so, without cases yet.
func NewReport(d destination.Description) *Report {
	return &Report{
		Plugin: d.Name, Version: d.Version, Capabilities: d.Capabilities,
		MaxBatchRecords: d.MaxBatchRecords, MaxBatchBytes: d.MaxBatchBytes,
		Cases: []Outcome{},
	}
}

// Count says how many cases came out so.
func (r *Report) Count(result Result) (n int) {
	for _, o := range r.Cases {
		if o.Result == result {
			n++
		}
	}
	return n
}

// Groups returns the groups of the cases, in the order of the report.
func (r *Report) Groups() []string {
	var groups []string
	for _, o := range r.Cases {
		if !slices.Contains(groups, o.Group) {
			groups = append(groups, o.Group)
		}
	}
	return groups
}
