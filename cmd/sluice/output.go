package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
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
			text := fmt.Sprint(c)
			if text == "" {
				text = "-"
			}
			fmt.Fprint(t, text)
		}
		fmt.Fprintln(t)
	})
	_ = t.Flush() // an error of w shows at its next write
}

// when prints a moment as operators read it.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
