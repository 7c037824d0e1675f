package routing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
)

// filter is a config.Filter, prepared. What is empty lets everything pass.
type filter struct {
	group        string
	sources      []config.Pattern
	kinds        map[event.Kind]bool // nil: every kind
	models       []config.Pattern    // upper case
	operations   []event.Operation
	companies    []config.Pattern
	integrations []config.Pattern // upper case
	statuses     []config.Pattern // upper case
	syncTypes    []config.Pattern // upper case
	where        int              // number of a condition, from 1; 0 without one
}

// compileFilter prepares a filter. A route that names no events takes data-model
// changes; a group that names none leaves it to its routes.
func compileFilter(f config.Filter, own bool) (filter, error) {
	out := filter{group: f.Group}
	if own || len(f.Events) > 0 {
		out.kinds = map[event.Kind]bool{event.KindDataModelChanges: len(f.Events) == 0}
	}
	for _, k := range f.Events {
		if k == config.AllEvents {
			out.kinds = nil
			break
		}
		if !slices.Contains(event.Kinds, event.Kind(k)) {
			return out, fmt.Errorf("there is no kind of event %q", k)
		}
		out.kinds[event.Kind(k)] = true
	}
	for _, o := range f.Operations {
		switch op := event.Operation(o); op {
		case event.Create, event.Update, event.Delete:
			out.operations = append(out.operations, op)
		default:
			return out, fmt.Errorf("there is no operation %q; use CREATE, UPDATE or DELETE", o)
		}
	}
	var err error
	for _, list := range []struct {
		name  string
		in    []string
		out   *[]config.Pattern
		upper bool
	}{
		{"sources", f.Sources, &out.sources, false},
		{"models", f.Models, &out.models, true},
		{"companies", f.Companies, &out.companies, false},
		{"integrations", f.Integrations, &out.integrations, true},
		{"statuses", f.Statuses, &out.statuses, true},
		{"sync_types", f.SyncTypes, &out.syncTypes, true},
	} {
		if *list.out, err = patterns(list.in, list.upper); err != nil {
			return out, fmt.Errorf("%s: %w", list.name, err)
		}
	}
	return out, nil
}

// patterns prepares a filter. One that lets everything pass becomes empty.
func patterns(in []string, upper bool) ([]config.Pattern, error) {
	var out []config.Pattern
	for _, s := range in {
		if err := config.Pattern(s).Check(); err != nil {
			return nil, fmt.Errorf("%q %w", s, err)
		}
		if upper {
			s = strings.ToUpper(s)
		}
		out = append(out, config.Pattern(s))
	}
	if slices.ContainsFunc(out, func(p config.Pattern) bool { return strings.Trim(string(p), "*") == "" }) {
		return nil, nil
	}
	return out, nil
}

// refuses returns why the filter does not let the input pass, or "". It leaves
// conditions aside.
func (f *filter) refuses(mode Mode, in EventInput) string {
	of := ""
	if f.group != "" {
		of = " of the group " + f.group
	}
	switch {
	case f.kinds != nil && !f.kinds[in.Kind]:
		return fmt.Sprintf("events%s does not name %s", of, in.Kind)
	case !passes(f.sources, in.Source):
		return fmt.Sprintf("sources%s does not match %q", of, in.Source)
	case mode != ModeEvents && !passes(f.models, strings.ToUpper(in.Model)):
		return fmt.Sprintf("models%s does not match %q", of, in.Model)
	case mode != ModeEvents && len(f.operations) > 0 && !slices.Contains(f.operations, in.Operation):
		return fmt.Sprintf("operations%s does not name %s", of, in.Operation)
	case !passes(f.companies, in.CompanyID):
		return fmt.Sprintf("companies%s does not match %q", of, in.CompanyID)
	case !passes(f.integrations, strings.ToUpper(in.Integration)):
		return fmt.Sprintf("integrations%s does not match %q", of, in.Integration)
	case mode == ModeEvents && in.Status != "" && !passes(f.statuses, strings.ToUpper(in.Status)):
		return fmt.Sprintf("statuses%s does not match %q", of, in.Status)
	case mode == ModeEvents && in.SyncType != "" && !passes(f.syncTypes, strings.ToUpper(in.SyncType)):
		return fmt.Sprintf("sync_types%s does not match %q", of, in.SyncType)
	}
	return ""
}

func passes(filter []config.Pattern, name string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(p config.Pattern) bool { return p.Match(name) })
}
