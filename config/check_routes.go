package config

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/sluicehq/sluice/internal/event"
)

// AllEvents in Route.Events stands for every kind.
const AllEvents = "*"

func (r *report) checkRoutes(c *Config) {
	if len(c.Routes) == 0 && r.ok("routes") {
		r.warn([]any{"routes"}, "add one with name and to", "there are no routes: events are stored and delivered nowhere")
	}
	used := make(map[string]bool)
	names := make(map[string]int)
	certain := true // that used is complete
	for i := range c.Routes {
		rt, path := &c.Routes[i], []any{"routes", i}
		if to := with(path, "to"); !r.ok(to...) || len(rt.To) == 0 {
			certain = false
		}
		if !r.ok(path...) {
			continue
		}
		r.checkRouteName(rt.Name, with(path, "name"), names)
		certain = r.checkRouteTo(c, rt.To, with(path, "to"), used) && certain
		r.checkRouteEvents(rt, path)
		r.checkRouteSources(c, rt.Sources, with(path, "sources"))
		for key, list := range map[string][]string{"models": rt.Models, "companies": rt.Companies, "integrations": rt.Integrations} {
			r.checkPatterns(list, with(path, key))
		}
		if at := with(path, "operations"); r.has(at...) && r.ok(at...) && len(rt.Operations) == 0 {
			r.add(at, "list operations, or remove the key for all", "must not be empty")
		}
		object := with(path, "object")
		if r.has(object...) && r.ok(object...) {
			switch {
			case rt.Object == "":
				r.add(object, "name the table, or remove the key", "must not be empty")
			case len(rt.Object) > 255 || strings.ContainsFunc(rt.Object, unicode.IsControl):
				r.add(object, "at most 255 bytes, no line breaks", "cannot name an object")
			}
		}
	}
	if !certain || !r.ok("routes") || len(c.Routes) == 0 {
		return
	}
	for name := range c.Destinations {
		if path := []any{"destinations", name}; !used[name] {
			r.addKey(path, "name it in the to of a route, or remove it", "no route uses this destination")
			r.list[len(r.list)-1].Severity = SeverityWarning
		}
	}
}

func (r *report) checkRouteName(name string, path []any, names map[string]int) {
	if name == "" || !r.ok(path...) {
		return
	}
	if !routeText.MatchString(name) {
		r.add(path, "a letter or digit, then letters, digits, . _ and -, at most 63", "%s cannot name a route", r.quoted(path, name))
		return
	}
	line, _ := r.line(path)
	if first, taken := names[name]; taken {
		r.add(path, "give each route a name of its own", "%s is already used at %s", r.quoted(path, name), r.texts.place(first, line))
		return
	}
	names[name] = line
}

func (r *report) line(path []any) (line, column int) {
	n, _, _ := locate(r.root, path)
	return n.Line, n.Column
}

// checkRouteTo also notes which destinations are used; certain is false when it
// cannot know.
func (r *report) checkRouteTo(c *Config, to []string, path []any, used map[string]bool) (certain bool) {
	if !r.ok(path...) {
		return false
	}
	certain = true
	known := slices.Collect(maps.Keys(c.Destinations))
	seen := make(map[string]bool)
	for j, name := range to {
		at := with(path, j)
		if !r.ok(at...) {
			certain = false
			continue
		}
		if seen[name] {
			r.warn(at, "remove one of them", "%s is named twice", r.quoted(at, name))
		}
		seen[name] = true
		if used[name] = true; slices.Contains(known, name) || !r.ok("destinations") {
			continue
		}
		hint := didYouMean(name, "destinations of this file:", known)
		if c, ok := nearest(name, known); ok {
			used[c] = true // a misspelling is not an unused destination as well
		} else if len(known) == 0 {
			hint = "add it under destinations"
		}
		r.add(at, hint, "there is no destination %s", r.quoted(at, name))
	}
	return certain
}

func (r *report) checkRouteEvents(rt *Route, path []any) {
	kinds := []string{AllEvents}
	for _, k := range event.Kinds {
		kinds = append(kinds, string(k))
	}
	events := with(path, "events")
	if !r.ok(events...) {
		return
	}
	understood := true
	for j, kind := range rt.Events {
		if at := with(events, j); !r.ok(at...) {
			understood = false
		} else if !slices.Contains(kinds, kind) {
			understood = false
			r.add(at, didYouMean(kind, "one of", kinds), "there is no kind of event %s", r.quoted(at, kind))
		}
	}
	if r.has(events...) && len(rt.Events) == 0 {
		r.add(events, "list kinds of events, or remove the key for data_model_changes", "must not be empty")
		return
	}
	if !understood || len(rt.Events) == 0 || slices.Contains(rt.Events, AllEvents) || slices.Contains(rt.Events, string(event.KindDataModelChanges)) {
		return
	}
	for _, key := range []string{"models", "operations", "mode"} {
		if at := with(path, key); r.has(at...) && r.ok(at...) {
			r.warn(at, "add data_model_changes to events, or remove it", "has no effect: it is about data_model_changes, which this route does not take")
		}
	}
}

func (r *report) checkRouteSources(c *Config, sources []string, path []any) {
	known := slices.Collect(maps.Keys(c.Sources))
	if !r.checkPatterns(sources, path) || !r.ok("sources") || len(known) == 0 {
		return
	}
	for j, s := range sources {
		at := with(path, j)
		if slices.ContainsFunc(known, Pattern(s).Match) {
			continue
		}
		if Pattern(s).Literal() {
			r.add(at, didYouMean(s, "sources of this file:", known), "there is no source %s", r.quoted(at, s))
		} else {
			r.warn(at, "sources of this file: "+strings.Join(slices.Sorted(slices.Values(known)), ", "), "%s matches no source", r.quoted(at, s))
		}
	}
}

// checkPatterns reports whether all patterns of a list are in order. A list that
// is there and empty would match nothing, which nobody writes on purpose.
func (r *report) checkPatterns(list []string, path []any) bool {
	if !r.ok(path...) {
		return false
	}
	if r.has(path...) && len(list) == 0 {
		r.add(path, "list what to match, or remove the key to match all", "must not be empty")
		return false
	}
	fine := true
	for j, p := range list {
		at := with(path, j)
		if !r.ok(at...) {
			fine = false
			continue
		}
		if err := Pattern(p).Check(); err != nil {
			fine = false
			r.add(at, "write a name, or a pattern such as INV*", "%s %s", r.quoted(at, p), err)
		}
	}
	return fine
}
