package main

import (
	"fmt"
	"slices"
)

// describe says which requests would be made. They hold no secret: the headers
// are left out.
func (w *writing) describe(p plan) []string {
	var out []string
	base := w.client.base()
	bulk, rest := w.split(p.upserts)
	for _, items := range bulk {
		out = append(out, fmt.Sprintf("POST %s%s\n%s\nPUT %[1]s%[2]s/{id}/batches\n%[4]s", base, jobsPath, w.jobBody(), w.csv(items)))
	}
	for items := range slices.Chunk(rest, maxCollection) {
		out = append(out, fmt.Sprintf("PATCH %s%s\n%s", base, w.upsertPath(), w.upsertBody(items)))
	}
	for items := p.deletes; len(items) > 0; {
		soql, n := w.soql(items)
		items = items[n:]
		then := "DELETE " + base + "composite/sobjects?ids=…&allOrNone=false"
		if w.client.options.soft {
			then = "PATCH " + base + "composite/sobjects (" + w.client.options.DeletedField + " = true)"
		}
		out = append(out, fmt.Sprintf("GET %squery?q=%s\n%s", base, soql, then))
	}
	for i, r := range w.results {
		if r.Code != "" {
			out = append(out, fmt.Sprintf("record %d is not sent: %s", i+1, r.Message))
		}
	}
	return out
}
