package expr_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config/expr"
)

func numbers(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%q", fmt.Sprint(i))
	}
	return "[" + strings.Join(out, ",") + "]"
}

// What a webhook holds must not decide how long an expression takes.
func TestHostileRecords(t *testing.T) {
	objects := "[" + strings.TrimSuffix(strings.Repeat(`{"a":1},{"a":2},`, 20), ",") + "]"
	distinctObjects := make([]string, 3000)
	for i := range distinctObjects {
		distinctObjects[i] = fmt.Sprintf(`{"a":%d}`, i)
	}
	for name, test := range map[string]struct{ source, fields, want, problem string }{
		"in within a loop":        {`record.l.filter(x, x in record.l).size()`, `{"l":` + numbers(8000) + `}`, "", "too many steps"},
		"in within a small loop":  {`record.l.filter(x, x in record.l).size()`, `{"l":` + numbers(100) + `}`, "100", ""},
		"equality within a loop":  {`record.l.exists(x, record.l == record.m)`, `{"l":` + numbers(8000) + `,"m":` + numbers(8001) + `}`, "", "too many steps"},
		"a big object in a loop":  {`record.l.filter(x, record.o.a == x).size()`, `{"l":` + numbers(8000) + `,"o":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, "", "too many steps"},
		"distinct texts":          {`record.l.distinct().size()`, `{"l":` + numbers(100_000) + `}`, "100000", ""},
		"distinct few objects":    {`record.l.distinct().size()`, `{"l":` + objects + `}`, "2", ""},
		"distinct many objects":   {`record.l.distinct().size()`, `{"l":[` + strings.Join(distinctObjects, ",") + `]}`, "", "too many elements"},
		"distinct numbers":        {`record.l.distinct()`, `{"l":[1,1.0,1e0,"1",null,0,-0,null,true]}`, `[1,"1",null,0,true]`, ""},
		"sort numbers":            {`record.l.sort()`, `{"l":[3,1.5,null,20]}`, `[1.5,3,20,null]`, ""},
		"sort by a number":        {`record.l.sortBy(x, x.a).map(x, x.b)`, `{"l":[{"a":10,"b":"x"},{"a":9.5,"b":"y"}]}`, `["y","x"]`, ""},
		"sort what has no order":  {`record.l.sort()`, `{"l":[3,"a"]}`, "", "another type"},
		"sort too many":           {`record.l.sort().size()`, `{"l":` + numbers(60_000) + `}`, "", "too many elements"},
		"replace with a long one": {`record.a.replace("", record.a).size()`, `{"a":"` + strings.Repeat("x", 10_000) + `"}`, "", "too long"},
		"join with a long one":    {`record.l.join(record.a).size()`, `{"l":` + numbers(10_000) + `,"a":"` + strings.Repeat("x", 10_000) + `"}`, "", "too long"},
		"deep lists":              {`record.l.size()`, `{"l":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, "", "too deeply"},
		"deep objects":            {`record.l.a.a.a.a`, `{"l":` + strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000) + `}`, "", "too deeply"},
		"brackets within text":    {`record.l.size()`, `{"l":["` + strings.Repeat(`[\"`, 500) + `"]}`, "1", ""},
		"a range of the record":   {`lists.range(int(record.n)).size()`, `{"n":1000000000}`, "", "cannot be evaluated"},
		"a number out of range":   {`record.n * 2 > 1`, `{"n":1e999999999}`, "", "number"},
		"a number near the range": {`record.n * record.n > 1`, `{"n":1e1000}`, "", "too many digits"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := expr.Compile(test.source)
			if err != nil {
				t.Fatal(err)
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal([]byte(test.fields), &fields); err != nil {
				t.Fatal(err)
			}
			got, err := p.JSON(&expr.Vars{Record: expr.NewObject("X", fields)})
			if test.problem == "" && (err != nil || string(got) != test.want) {
				t.Fatalf("%.200s, %v; want %s", got, err, test.want)
			}
			if test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Fatalf("%.200s, %v; want a failure about %q", got, err, test.problem)
			}
		})
	}
}

// No way of an expression leads through floats.
func TestNoFloats(t *testing.T) {
	for _, source := range []string{`double(record.a)`, `double("0.1")`, `int(double("1e3"))`, `uint("3")`, `"%.2f".format([1])`} {
		_, err := expr.Compile(source)
		if _, ok := errors.AsType[*expr.SyntaxError](err); !ok {
			t.Errorf("%s: %v, want it refused", source, err)
		}
	}
}
