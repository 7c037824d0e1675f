package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/plugins/destination"
)

// maxQuery keeps the address of a query within the 16,384 bytes that Salesforce
// takes, headers included.
const maxQuery = 12 << 10

// found is a record that Salesforce has.
type found struct {
	id      string
	version int64
}

var soqlEscape = strings.NewReplacer(
	`\`, `\\`, `'`, `\'`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`,
)

// maxQueries is how many queries a composite request may hold. It counts as one
// request of the daily ones.
//
// https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-composite-post.html
const maxQueries = 5

// question is a query for some items.
type question struct {
	soql  string
	items []*item
}

// lookUp asks what Salesforce has under the external ids of the items and calls
// then for each. Those for which the question fails get that as their result.
func (w *writing) lookUp(ctx context.Context, items []*item, then func(*item, []found)) {
	for len(items) > 0 {
		var questions []question
		asked := items
		for len(items) > 0 && len(questions) < maxQueries {
			text, n := w.soql(items)
			questions = append(questions, question{text, items[:n]})
			items = items[n:]
		}
		var answers []answer
		w.each(asked[:len(asked)-len(items)], func() (f *destination.Failure) {
			answers, f = w.askAll(ctx, questions)
			return f
		})
		for i, a := range answers {
			q := questions[i]
			w.each(q.items, func() *destination.Failure {
				byKey, f := w.found(a)
				if f != nil {
					return f
				}
				for _, it := range q.items {
					then(it, byKey[it.key])
				}
				return nil
			})
		}
	}
}

// askAll asks the questions together. If Salesforce refuses that as a whole, each
// is asked alone: one may be to blame, or the org has no composite requests.
func (w *writing) askAll(ctx context.Context, questions []question) ([]answer, *destination.Failure) {
	answers, f := w.ask(ctx, questions)
	if f == nil {
		return answers, nil
	}
	if f.Kind != destination.Rejected || len(questions) == 1 {
		return nil, f
	}
	answers = nil
	for _, q := range questions {
		one, f := w.ask(ctx, []question{q})
		if f != nil && f.Kind != destination.Rejected {
			return nil, f
		}
		answers = append(answers, one...) // one that is refused is judged with the others
	}
	return answers, nil
}

// ask sends the questions with one request.
func (w *writing) ask(ctx context.Context, questions []question) ([]answer, *destination.Failure) {
	path := func(q question) string { return "query?q=" + url.QueryEscape(q.soql) }
	if len(questions) == 1 {
		a, f := w.client.call(ctx, http.MethodGet, path(questions[0]), "", nil)
		return []answer{a}, w.ofNames(f)
	}
	type part struct {
		Method    string `json:"method"`
		URL       string `json:"url"`
		Reference string `json:"referenceId"`
	}
	parts := make([]part, len(questions))
	for i, q := range questions {
		parts[i] = part{http.MethodGet, w.client.base() + path(q), "q" + strconv.Itoa(i)}
	}
	// Texts always encode.
	body, _ := json.Marshal(map[string]any{"compositeRequest": parts})
	a, f := w.client.call(ctx, http.MethodPost, "composite", contentJSON, body)
	if f != nil {
		return nil, f
	}
	var got struct {
		Parts []struct {
			Body      json.RawMessage `json:"body"`
			Status    int             `json:"httpStatusCode"`
			Reference string          `json:"referenceId"`
		} `json:"compositeResponse"`
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return nil, partial()
	}
	answers := make([]answer, len(questions))
	for i, p := range parts {
		for _, g := range got.Parts {
			if g.Reference == p.Reference {
				answers[i] = answer{status: g.Status, header: a.header, body: g.Body, token: a.token}
			}
		}
		if answers[i].status == 0 {
			return nil, partial()
		}
	}
	return answers, nil
}

// partial is an answer that does not say what was asked.
func partial() *destination.Failure {
	return &destination.Failure{
		Kind: destination.Retry, Code: codeAnswer,
		Err: errors.New("the answer of Salesforce to a query is not whole"),
	}
}

// soql makes a query for as many items as fit, and says how many.
func (w *writing) soql(items []*item) (text string, n int) {
	fields := "Id, " + w.external
	if w.client.options.VersionField != "" {
		fields += ", " + w.client.options.VersionField
	}
	var b strings.Builder
	b.WriteString("SELECT " + fields + " FROM " + w.object + " WHERE " + w.external + " IN (")
	size := len(url.QueryEscape(b.String()))
	for n < len(items) && n < maxCollection {
		next := "'" + soqlEscape.Replace(items[n].key) + "'"
		if n > 0 {
			next = "," + next
		}
		if size += len(url.QueryEscape(next)); size > maxQuery && n > 0 {
			break
		}
		b.WriteString(next)
		n++
	}
	return b.String() + ")", n
}

// ofNames takes a query that is refused for a name in it for what it is: nothing
// of the records is to blame, and none can be written until the field is there.
func (w *writing) ofNames(f *destination.Failure) *destination.Failure {
	if f == nil || f.Kind != destination.Rejected || !slices.Contains(ofSchema, f.Code) {
		return f
	}
	names := w.external
	if field := w.client.options.VersionField; field != "" {
		names += " and the version_field " + field
	}
	return &destination.Failure{
		Kind: destination.Misconfigured, Code: f.Code,
		Err: fmt.Errorf("%w: does %s have %s, and may this user read it?", f.Err, w.object, names),
	}
}

// found reads the answer to a query.
func (w *writing) found(a answer) (map[string][]found, *destination.Failure) {
	if a.status < 200 || a.status > 299 {
		return nil, w.ofNames(w.client.failureOf(a))
	}
	var page struct {
		Done    bool                         `json:"done"`
		Records []map[string]json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil || !page.Done {
		return nil, partial()
	}
	out := map[string][]found{}
	for _, r := range page.Records {
		var key string
		var one found
		var number json.Number
		_ = json.Unmarshal(r["Id"], &one.id)
		_ = json.Unmarshal(r[w.external], &key)
		if json.Unmarshal(r[w.client.options.VersionField], &number) == nil {
			one.version = whole(number)
		}
		out[key] = append(out[key], one)
	}
	return out, nil
}

// whole reads a number that Salesforce may write as 3.0.
func whole(n json.Number) int64 {
	text, _, _ := strings.Cut(n.String(), ".")
	v, err := json.Number(text).Int64()
	if err != nil {
		return 0
	}
	return v
}
