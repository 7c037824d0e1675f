package sqlcore

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestJudge(t *testing.T) {
	for raw, want := range map[string]Kind{
		`true`: Boolean, `false`: Boolean, `0`: Number, `-1.50`: Number, `1e5`: Number, `1e999999`: Text,
		`"x"`: Text, `""`: Text, `"12.50"`: Text, `"2026-03-01"`: Text, `"2026-03-01T10:00:00"`: Text,
		`"2026-03-01T10:00:00Z"`: Timestamp, `"2026-03-01T10:00:00.123456789+05:30"`: Timestamp,
		`"2026-02-30T10:00:00Z"`: Text, `"0000-01-01T00:00:00Z"`: Text, `{}`: JSON, `[1]`: JSON,
	} {
		if got := judge(AnyDigits, json.RawMessage(raw)); got != want {
			t.Errorf("%s: got %v, want %v", raw, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	const misfit = "\x00misfit"
	for name, tt := range map[string]struct {
		kind    Kind
		lenient bool
		raw     string
		want    string
	}{
		"number keeps its digits":          {Number, false, `12345678901234567890123456789012345678.10`, `12345678901234567890123456789012345678.10`},
		"number with exponent":             {Number, false, `1.5E-7`, `1.5E-7`},
		"number out of range":              {Number, false, `1e200000`, misfit},
		"number too fine":                  {Number, false, `1e-16384`, misfit},
		"number of many digits":            {Number, false, strings.Repeat("9", 131073), misfit},
		"text for a number":                {Number, false, `"12.50"`, misfit},
		"text for a known number":          {Number, true, `"12.50"`, `12.50`},
		"negative text for a number":       {Number, true, `"-0.5"`, `-0.5`},
		"code that looks like a number":    {Number, true, `"12E4"`, misfit},
		"code with zeros":                  {Number, true, `"007"`, misfit},
		"minus zero in text":               {Number, true, `"-0.00"`, misfit},
		"empty text for a number":          {Number, true, `""`, misfit},
		"a point and nothing else":         {Number, true, `"."`, misfit},
		"boolean for a number":             {Number, true, `true`, misfit},
		"boolean":                          {Boolean, false, `true`, `true`},
		"number for a boolean":             {Boolean, true, `1`, misfit},
		"text for a boolean":               {Boolean, false, `"true"`, misfit},
		"text for a known boolean":         {Boolean, true, `"false"`, `false`},
		"instant":                          {Timestamp, false, `"2026-03-01T00:30:00.5+01:00"`, `2026-02-28T23:30:00.500000Z`},
		"instant finer than a microsecond": {Timestamp, false, `"2026-03-01T00:00:00.1234569Z"`, `2026-03-01T00:00:00.123456Z`},
		"instant after the year 9999":      {Timestamp, false, `"9999-12-31T23:59:59-10:00"`, misfit},
		"comma before the fraction":        {Timestamp, true, `"2026-03-01T00:00:00,5Z"`, misfit},
		"date for an instant":              {Timestamp, false, `"2026-03-01"`, misfit},
		"date for a known instant":         {Timestamp, true, `"2026-03-01"`, `2026-03-01T00:00:00.000000Z`},
		"known instant without a zone":     {Timestamp, true, `"2026-03-01T10:11:12.5"`, `2026-03-01T10:11:12.500000Z`},
		"no instant":                       {Timestamp, true, `"soon"`, misfit},
		"number for an instant":            {Timestamp, true, `1770000000`, misfit},
		"text":                             {Text, false, `"a\"\u00fc\n"`, "a\"ü\n"},
		"text with NUL":                    {Text, false, `"a\u0000b"`, "a\uFFFDb"},
		"number as text":                   {Text, false, `1.10`, `1.10`},
		"list as text":                     {Text, false, `["a",1.10]`, `["a",1.10]`},
		"JSON":                             {JSON, false, `{"a":1.10}`, `{"a":1.10}`},
		"text as JSON":                     {JSON, false, `"a"`, `"a"`},
		"type of somebody else":            {Other, false, `"a"`, `a`},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := encode(tt.kind, AnyDigits, tt.lenient, json.RawMessage(tt.raw))
			if !ok {
				got = misfit
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCleanJSON(t *testing.T) {
	for raw, want := range map[string]string{
		`"\u0000"`: `"\ufffd"`, `"\\u0000"`: `"\\u0000"`, `"\\\u0000"`: `"\\\ufffd"`,
		`"\ud83d\ude00"`: `"\ud83d\ude00"`, `"\ud83d"`: `"\ufffd"`, `"\ude00\ud83d"`: `"\ufffd\ufffd"`,
		`"\ud83d\u0041"`: `"\ufffd\u0041"`, `"\ud83d\\n"`: `"\ufffd\\n"`, `"\uD83D\uDE00"`: `"\uD83D\uDE00"`,
		"\"\xff\"": "\"\uFFFD\"", `{"\u0000":["\u0001"]}`: `{"\ufffd":["\u0001"]}`,
	} {
		if got := cleanJSON(json.RawMessage(raw)); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}

func FuzzCleanJSON(f *testing.F) {
	for _, s := range []string{`"\u0000"`, `"\ud800\\u0000"`, `{"a":["\udc00"]}`, "\"\xff\\u0000\"", `1.10`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) {
			return
		}
		got := cleanJSON(json.RawMessage(s))
		if !json.Valid([]byte(got)) || !utf8.ValidString(got) {
			t.Fatalf("%q became %q", s, got)
		}
		var v any
		d := json.NewDecoder(strings.NewReader(got))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(v); err != nil || strings.Contains(strings.ReplaceAll(string(b), `\\`, ""), `\u0000`) {
			t.Fatalf("%q still has a NUL: %v", got, err)
		}
	})
}

func FuzzEncode(f *testing.F) {
	for _, s := range []string{`1e5`, `"2026-03-01T00:00:00Z"`, `-0`, `"-0.0"`, `true`, `[]`, `"\u0000"`, `"2026-03-01"`} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, lenient bool) {
		s = strings.TrimSpace(s)
		if !json.Valid([]byte(s)) || isNull(json.RawMessage(s)) {
			return
		}
		kind := judge(AnyDigits, json.RawMessage(s))
		if _, ok := encode(kind, AnyDigits, lenient, json.RawMessage(s)); !ok {
			t.Fatalf("%q was judged %v and does not fit", s, kind)
		}
		for k := Boolean; k <= Other; k++ {
			if text, ok := encode(k, AnyDigits, lenient, json.RawMessage(s)); ok && (!utf8.ValidString(text) || strings.Contains(text, "\x00")) {
				t.Fatalf("%q as %v is %q", s, k, text)
			}
		}
	})
}
