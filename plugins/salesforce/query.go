package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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

// lookUp asks what Salesforce has under the external ids of the items and calls
// then for each. Those for which the question fails get that as their result.
func (w *writing) lookUp(ctx context.Context, items []*item, then func(*item, []found)) {
	for len(items) > 0 {
		text, n := w.soql(items)
		part := items[:n]
		items = items[n:]
		w.each(part, func() *destination.Failure {
			byKey, f := w.query(ctx, text)
			if f != nil {
				return f
			}
			for _, it := range part {
				then(it, byKey[it.key])
			}
			return nil
		})
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

func (w *writing) query(ctx context.Context, soql string) (map[string][]found, *destination.Failure) {
	a, f := w.client.call(ctx, http.MethodGet, "query?q="+url.QueryEscape(soql), "", nil)
	if f != nil {
		return nil, f
	}
	var page struct {
		Done    bool                         `json:"done"`
		Records []map[string]json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(a.body, &page); err != nil || !page.Done {
		return nil, &destination.Failure{
			Kind: destination.Retry, Code: codeAnswer,
			Err: errors.New("the answer of Salesforce to a query is not whole"),
		}
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
