package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// show prints v as JSON, or calls text to print it for a person.
func (f *shared) show(w io.Writer, v any, text func(io.Writer)) error {
	if f.output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	text(w)
	return nil
}

// table prints rows under a header.
func table(w io.Writer, header string, rows func(row func(cells ...any))) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(header, " ", "\t"))
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			text := oneLine(fmt.Sprint(c))
			if text == "" {
				text = "-"
			}
			fmt.Fprint(t, text)
		}
		fmt.Fprintln(t)
	})
	_ = t.Flush() // an error of w shows at its next write
}

// oneLine keeps a cell in its row. What a destination says may hold anything,
// escape sequences for the terminal too.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}

// plain keeps the lines of a text and nothing else that steers a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.TrimSpace(s))
}

// facts prints what is known about one thing, a name and a value to a line. Of a
// value only the parts that are not empty are shown.
func facts(w io.Writer, rows ...[]any) {
	t := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	for _, r := range rows {
		var parts []string
		for _, v := range r[1:] {
			if text := oneLine(fmt.Sprint(v)); text != "" {
				parts = append(parts, text)
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(t, "%s\t%s\n", r[0], strings.Join(parts, ", "))
		}
	}
	_ = t.Flush() // an error of w shows at its next write
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// when prints a moment as operators read it.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
