package rehearsal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
	"github.com/sluicehq/sluice/internal/event"
)

// compare lists what differs. Each destination gets its deliveries in order; the
// order between destinations is nobody's to rely on.
func compare(want []Expected, got []Delivery) []string {
	var out []string
	wanted, gotten := make(map[string][]Expected), make(map[string][]Delivery)
	for _, w := range want {
		wanted[w.Destination] = append(wanted[w.Destination], w)
	}
	for _, g := range got {
		gotten[g.Destination] = append(gotten[g.Destination], g)
	}
	names := slices.Collect(maps.Keys(wanted))
	names = slices.AppendSeq(names, maps.Keys(gotten))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		w, g := wanted[name], gotten[name]
		for i := range max(len(w), len(g)) {
			what := fmt.Sprintf("%s, delivery %d", name, i+1)
			switch {
			case i >= len(g):
				out = append(out, what+": want one, got none")
			case i >= len(w):
				out = append(out, what+": want none, got "+g[i].String())
			default:
				for _, d := range differences(&w[i], &g[i]) {
					out = append(out, what+": "+d)
				}
			}
		}
	}
	return out
}

// String is a delivery on one line.
func (d Delivery) String() string {
	if d.Problem != "" {
		return fmt.Sprintf("nothing by route %s: %s", d.Route, d.Problem)
	}
	fields, err := config.JSON(d.Fields)
	if err != nil {
		fields = []byte("?")
	}
	key := make([]string, 0, len(d.Key))
	for _, name := range d.part.KeyFields {
		key = append(key, name+"="+d.Key[name])
	}
	return fmt.Sprintf("%s %s %s version %d %s", d.Operation, d.Object, strings.Join(key, " "), d.Version, fields)
}

func differences(w *Expected, g *Delivery) []string {
	var out []string
	differ := func(what string, want, got any) {
		out = append(out, fmt.Sprintf("%s: want %v, got %v", what, want, got))
	}
	if w.Problem != "" || g.Problem != "" {
		if w.Problem == "" || !strings.Contains(g.Problem, w.Problem) {
			differ("problem", quoted(w.Problem), quoted(g.Problem))
		}
		return out
	}
	for _, c := range []struct{ what, want, got string }{
		{"route", w.Route, g.Route}, {"object", w.Object, g.Object}, {"operation", w.Operation, g.Operation},
	} {
		if c.want != "" && c.want != c.got {
			differ(c.what, c.want, c.got)
		}
	}
	if w.Version != 0 && int64(w.Version) != g.Version {
		differ("version", w.Version, g.Version)
	}
	if w.Key != nil && !maps.Equal(w.Key, g.Key) {
		differ("key", w.Key, g.Key)
	}
	for name, v := range w.FieldsInclude {
		out = append(out, field(name, v, g)...)
	}
	if w.Fields != nil {
		for name, v := range w.Fields {
			out = append(out, field(name, v, g)...)
		}
		for name, raw := range g.Fields {
			if _, ok := w.Fields[name]; !ok {
				differ("fields."+name, "nothing", string(raw))
			}
		}
	}
	slices.Sort(out)
	return out
}

func quoted(s string) string {
	if s == "" {
		return "none"
	}
	return fmt.Sprintf("%q", s)
}

func field(name string, want any, g *Delivery) []string {
	raw, ok := g.Fields[name]
	if !ok {
		return []string{fmt.Sprintf("fields.%s: want it, got no such field", name)}
	}
	text, err := config.JSON(want)
	if err != nil {
		return []string{fmt.Sprintf("fields.%s: %v", name, err)}
	}
	if a, b := canonical(text), canonical(raw); !bytes.Equal(a, b) {
		return []string{fmt.Sprintf("fields.%s: want %s, got %s", name, a, b)}
	}
	return nil
}

// canonical makes equal values equal bytes. Numbers keep their text: 1.10 is
// what was sent, and 1.1 is not.
func canonical(raw json.RawMessage) []byte {
	if out, err := event.Canonical(raw); err == nil {
		return out
	}
	return raw
}
