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

// routeCheck is what the checks of all routes of a file share.
type routeCheck struct {
	*report
	conf    *Config
	used    map[string]bool // destinations that a route names
	names   map[string]int  // of routes, by line
	certain bool            // that used is complete
}

func (r *report) checkRoutes(c *Config) {
	if len(c.Routes) == 0 && len(c.Models) == 0 && r.ok("routes") && r.ok("models") {
		r.warn([]any{"routes"}, "add one with name and to", "there are no routes: events are stored and delivered nowhere")
	}
	rc := &routeCheck{report: r, conf: c, used: make(map[string]bool), names: make(map[string]int), certain: r.ok("models") && r.ok("defaults")}
	rc.checkDefaults()
	for i := range c.Routes {
		rc.checkRoute(&c.Routes[i], []any{"routes", i}, len(c.Defaults.To) > 0)
	}
	rc.checkTable()
	if r.ok("routes") && r.ok("models") && r.ok("defaults") {
		rc.checkFlat()
	}
	if !rc.certain || !r.ok("routes") || len(c.Routes)+len(c.Models) == 0 {
		return
	}
	for name := range c.Destinations {
		if path := []any{"destinations", name}; !rc.used[name] {
			r.addKey(path, "name it in the to of a route, or remove it", "no route uses this destination")
			r.list[len(r.list)-1].Severity = SeverityWarning
		}
	}
}

// brokenWithin reports whether something at path or below it was not understood.
func (r *report) brokenWithin(path []any) bool {
	prefix := identity(path)
	for at := range r.broken {
		if strings.HasPrefix(at, prefix) {
			return true
		}
	}
	return false
}

// checkRoute checks a route and those within it. led says that something around
// it names destinations.
func (r *routeCheck) checkRoute(rt *Route, path []any, led bool) {
	to := with(path, "to")
	if !r.ok(to...) {
		r.certain = false
	}
	if !r.ok(path...) {
		return
	}
	r.checkRouteName(rt.Name, with(path, "name"), r.names)
	r.certain = r.checkRouteTo(r.conf, rt.To, to, r.used) && r.certain
	if len(rt.To) == 0 && !led && len(rt.Routes) == 0 && r.ok(to...) {
		r.certain = false
		if r.has(to...) {
			r.add(to, "name destinations of this file", "must not be empty")
		} else {
			r.add(to, "name destinations of this file, here or in a group around it", "is required")
		}
	}
	r.checkRouteEvents(rt, path)
	r.checkRouteSources(r.conf, rt.Sources, with(path, "sources"))
	for key, list := range map[string][]string{
		"models": rt.Models, "companies": rt.Companies, "integrations": rt.Integrations, "statuses": rt.Statuses, "sync_types": rt.SyncTypes,
	} {
		r.checkPatterns(list, with(path, key))
	}
	if at := with(path, "operations"); r.has(at...) && r.ok(at...) && len(rt.Operations) == 0 {
		r.add(at, "list operations, or remove the key for all", "must not be empty")
	}
	r.checkMappingText(&rt.Mapping, path)
	for name, m := range rt.For {
		at := with(path, "for", name)
		if _, known := r.conf.Destinations[name]; !known && r.ok("destinations") {
			r.addKey(at, didYouMean(name, "destinations of this file:", slices.Collect(maps.Keys(r.conf.Destinations))), "there is no destination %s", quote(name))
		}
		r.checkMappingText(&m, at)
	}
	if at := with(path, "routes"); r.has(at...) && len(rt.Routes) == 0 && r.ok(at...) {
		r.add(at, "add routes, or remove the key", "must not be empty")
	}
	for i := range rt.Routes {
		r.checkRoute(&rt.Routes[i], with(path, "routes", i), led || len(rt.To) > 0)
	}
}

func (r *routeCheck) checkDefaults() {
	d, path := &r.conf.Defaults, []any{"defaults"}
	if !r.ok(path...) {
		return
	}
	r.certain = r.checkRouteTo(r.conf, d.To, with(path, "to"), r.used) && r.certain
	r.checkRouteEvents(&Route{Events: d.Events}, path)
	r.checkRouteSources(r.conf, d.Sources, with(path, "sources"))
	r.checkPatterns(d.Companies, with(path, "companies"))
	r.checkPatterns(d.Integrations, with(path, "integrations"))
}

func (r *routeCheck) checkTable() {
	if !r.ok("models") {
		return
	}
	rows := slices.SortedFunc(maps.Keys(r.conf.Models), func(a, b string) int { return r.position(a) - r.position(b) })
	first := make(map[string]string, len(rows))
	for _, row := range rows {
		to, path := r.conf.Models[row], []any{"models", row}
		if same, twice := first[strings.ToUpper(row)]; twice {
			r.addKey(path, "keep one of the two rows: models are matched without regard to case", "is the same as %s", quote(same))
		} else {
			first[strings.ToUpper(row)] = row
		}
		if err := Pattern(row).Check(); err != nil {
			r.addKey(path, "write a data model, or a pattern such as INV*", "%s %s", quote(row), err)
		}
		if len(to) == 0 && r.ok(path...) {
			r.add(path, "name destinations, or remove the row", "must not be empty")
		}
		r.certain = r.checkRouteTo(r.conf, to, path, r.used) && r.certain
	}
}

// position of a row of the table, in the order of the file.
func (r *routeCheck) position(row string) int {
	_, key, _ := locate(r.root, []any{"models", row})
	if key == nil {
		return 0
	}
	return key.Line<<10 + key.Column
}

// checkMappingText checks what can be seen of one mapping alone.
func (r *routeCheck) checkMappingText(m *Mapping, path []any) {
	r.checkObject(m.Object, with(path, "object"))
	if at := with(path, "pack"); m.Pack != "" && r.ok(at...) {
		if _, err := LoadPack(m.Pack); err != nil {
			r.add(at, didYouMean(m.Pack, "there are", Packs()), "there is no pack %s", r.quoted(at, m.Pack))
		}
	}
	for name, c := range m.Expand {
		at := with(path, "expand", name)
		r.checkObject(c.Object, with(at, "object"))
		r.checkOnce(c.Map, c.Constants, at)
	}
	r.checkOnce(m.Map, m.Constants, path)
}

func (r *routeCheck) checkOnce(m map[string]string, constants map[string]any, path []any) {
	for name := range constants {
		if _, twice := m[name]; twice {
			r.addKey(with(path, "constants", name), "keep one of them", "is set in map as well")
		}
	}
}

func (r *routeCheck) checkObject(name string, path []any) {
	if !r.has(path...) || !r.ok(path...) {
		return
	}
	switch {
	case name == "":
		r.add(path, "name the table, or remove the key", "must not be empty")
	case len(name) > 255 || strings.ContainsFunc(name, unicode.IsControl):
		r.add(path, "at most 255 bytes, no line breaks", "cannot name an object")
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
		if c, ok := Nearest(name, known); ok {
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
