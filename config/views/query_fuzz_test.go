package views

import "testing"

// Whatever a view says, reading it ends, and what is accepted is passed on but for
// its names.
func FuzzParse(f *testing.F) {
	known := map[string][]string{"items": {"name", "code"}, "taxes": {"rate"}}
	for _, seed := range []string{
		"SELECT i.{name} AS {name}, COUNT(*) AS {n} FROM {items} AS i GROUP BY i.{name}",
		"SELECT s.{n} AS {m} FROM (SELECT MAX(i.{name}) AS {n} FROM {items} AS i) AS s LEFT JOIN {taxes} AS t ON t.{rate} = s.{n}",
		"SELECT {} AS {a} FROM {items} AS i", "}{)(", "a.{b", "AS {AS} AS as",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := parse(text, known)
		if err != nil {
			return
		}
		if len(q.columns) == 0 || len(q.relations) == 0 {
			t.Errorf("%q reads or gives nothing", text)
		}
		relation := func(name string) string {
			if _, ok := known[name]; !ok {
				t.Errorf("%q reads %q", text, name)
			}
			return "{" + name + "}"
		}
		if got := q.render(relation, func(name string) string { return "{" + name + "}" }); got != text {
			t.Errorf("got %q of %q", got, text)
		}
	})
}
