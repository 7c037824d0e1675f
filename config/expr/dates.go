package expr

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/ncruces/go-strftime"
)

// The forms of a date that sources are known to send.
var dateForms = []string{time.RFC3339Nano, "2006-01-02", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "20060102"}

var (
	errDate   = safe("date: the text is no date of a known form: give its form as second argument")
	errForm   = safe("the form of a date is not understood: use %Y %m %d %H %M %S and the like")
	errMoment = safe("a date is outside of the years 1 to 9999")
)

func dateFunctions() []function {
	date := func(more ...*cel.Type) [][]*cel.Type {
		return [][]*cel.Type{append([]*cel.Type{cel.StringType}, more...), append([]*cel.Type{cel.TimestampType}, more...)}
	}
	shift := func(name, doc, result string, years, months, days int) function {
		return function{Function{name, name + "(date, n) -> timestamp", doc, [][2]string{{name + `("2026-01-31", 1)`, result}}},
			overloads(name, cel.TimestampType, date(cel.IntType)...), func(args ...ref.Val) ref.Val {
				t, err := moment(args[0])
				n, ok := args[1].(types.Int)
				if err != nil || !ok {
					return dateFailure(err)
				}
				if n > 1e6 || n < -1e6 {
					return failure(errMoment)
				}
				return timestamp(add(t, int(n)*years, int(n)*months, int(n)*days))
			}, false}
	}
	return []function{
		{Function{"date", "date(text [, form]) -> timestamp", "A moment of text: ISO 8601 with or without a time, or as the form says (%d/%m/%Y). Without a zone it is UTC.",
			[][2]string{{`date("2026-03-09").getFullYear()`, `2026`}, {`date("09/03/2026", "%d/%m/%Y")`, `"2026-03-09T00:00:00Z"`}, {`date(record.due_date) < date("2027-01-01")`, `true`}}},
			append(overloads("date", cel.TimestampType, date()...), overloads("date", cel.TimestampType, types1(cel.StringType, cel.StringType))...), dateCall, false},
		{Function{"format_date", "format_date(date, form) -> text", "A moment, or text that date understands, in another form, in UTC.",
			[][2]string{{`format_date("2026-03-09T23:30:00Z", "%Y-%m-%d")`, `"2026-03-09"`}, {`format_date(record.due_date, "%d.%m.%Y")`, `"31.01.2026"`}}},
			overloads("format_date", cel.StringType, date(cel.StringType)...), formatCall, false},
		shift("add_days", "The date n days later, or earlier for a negative n.", `"2026-02-01T00:00:00Z"`, 0, 0, 1),
		shift("add_months", "The date n months later; the last day of a month that is shorter.", `"2026-02-28T00:00:00Z"`, 0, 1, 0),
		shift("add_years", "The date n years later.", `"2027-01-31T00:00:00Z"`, 1, 0, 0),
		{Function{"days_between", "days_between(from, to) -> int", "Whole days from one date to another; negative when the second is earlier. Times of the day do not count.",
			[][2]string{{`days_between("2026-01-31", "2026-03-01")`, `29`}, {`days_between("2026-03-01T23:00:00Z", "2026-02-28")`, `-1`}}},
			overloads("days_between", cel.IntType, append(date(cel.StringType), date(cel.TimestampType)...)...), daysCall, false},
		{Function{"unix_ms", "unix_ms(date) -> int", "Milliseconds since 1970, as HubSpot takes dates.", [][2]string{{`unix_ms("2026-01-01")`, `1767225600000`}}},
			overloads("unix_ms", cel.IntType, date()...), func(args ...ref.Val) ref.Val {
				t, err := moment(args[0])
				if err != nil {
					return dateFailure(err)
				}
				return types.Int(t.UnixMilli())
			}, false},
	}
}

func moment(v ref.Val) (time.Time, error) {
	switch x := v.(type) {
	case types.Timestamp:
		return x.Time, nil
	case types.String:
		forms := dateForms
		if len(x) == len("2006-01-02") {
			forms = forms[1:] // no moment is that short, and an error of time.Parse costs more than a date
		}
		for _, form := range forms {
			if t, err := time.Parse(form, string(x)); err == nil {
				return t, nil
			}
		}
		return time.Time{}, errDate
	}
	return time.Time{}, nil
}

func dateFailure(err error) ref.Val {
	if err == nil {
		return types.NewErr("no such overload")
	}
	return failure(err)
}

func timestamp(t time.Time) ref.Val {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return failure(errMoment)
	}
	return types.Timestamp{Time: t.UTC()}
}

func dateCall(args ...ref.Val) ref.Val {
	if len(args) == 1 {
		t, err := moment(args[0])
		if err != nil {
			return dateFailure(err)
		}
		return timestamp(t)
	}
	s, ok := args[0].(types.String)
	form, also := args[1].(types.String)
	if !ok || !also {
		return types.NewErr("no such overload")
	}
	t, err := strftime.Parse(string(form), string(s))
	if err != nil {
		return failure(safe("date: the text does not have the form that is given"))
	}
	return timestamp(t)
}

func formatCall(args ...ref.Val) ref.Val {
	t, err := moment(args[0])
	form, ok := args[1].(types.String)
	if err != nil || !ok {
		return dateFailure(err)
	}
	if _, err := strftime.Layout(string(form)); err != nil {
		return failure(errForm)
	}
	return types.String(strftime.Format(string(form), t.UTC()))
}

func daysCall(args ...ref.Val) ref.Val {
	from, err := moment(args[0])
	if err != nil {
		return dateFailure(err)
	}
	to, err := moment(args[1])
	if err != nil {
		return dateFailure(err)
	}
	day := func(t time.Time) int64 { return floorDiv(t.Unix(), 24*60*60) }
	return types.Int(day(to) - day(from))
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// add keeps within the month: a month after January 31 is the end of February.
func add(t time.Time, years, months, days int) time.Time {
	if years == 0 && months == 0 {
		return t.AddDate(0, 0, days)
	}
	first := time.Date(t.Year()+years, t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}
