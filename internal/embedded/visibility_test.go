//go:build !slim

package embedded

import (
	"maps"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func TestSearchAttributesOfEveryKind(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// On SQLite, Temporal writes times with milliseconds and compares them with
	// text without: whole seconds are never equal, so the time is a range here.
	attributes := []struct {
		kind  enumspb.IndexedValueType
		name  string
		value temporal.SearchAttributeUpdate
		query string
	}{
		{enumspb.INDEXED_VALUE_TYPE_KEYWORD, "AKeyword", temporal.NewSearchAttributeKeyKeyword("AKeyword").ValueSet("k-1"), `AKeyword = "k-1"`},
		{enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST, "AList", temporal.NewSearchAttributeKeyKeywordList("AList").ValueSet([]string{"INVOICES", "BILLS"}), `AList = "BILLS"`},
		{enumspb.INDEXED_VALUE_TYPE_TEXT, "AText", temporal.NewSearchAttributeKeyString("AText").ValueSet("two words"), `AText = "words"`},
		{enumspb.INDEXED_VALUE_TYPE_INT, "AnInt", temporal.NewSearchAttributeKeyInt64("AnInt").ValueSet(7), `AnInt > 6`},
		{enumspb.INDEXED_VALUE_TYPE_DOUBLE, "ADouble", temporal.NewSearchAttributeKeyFloat64("ADouble").ValueSet(1.5), `ADouble < 2`},
		{enumspb.INDEXED_VALUE_TYPE_BOOL, "ABool", temporal.NewSearchAttributeKeyBool("ABool").ValueSet(true), `ABool = true`},
		{enumspb.INDEXED_VALUE_TYPE_DATETIME, "ATime", temporal.NewSearchAttributeKeyTime("ATime").ValueSet(at), `ATime BETWEEN "2026-03-01T11:59:00Z" AND "2026-03-01T12:01:00Z"`},
	}
	wanted := make(map[string]enumspb.IndexedValueType)
	var values []temporal.SearchAttributeUpdate
	for _, a := range attributes {
		wanted[a.name] = a.kind
		values = append(values, a.value)
	}
	dir := t.TempDir()
	s := start(t, Options{Dir: dir, SearchAttributes: wanted})
	c := dial(t, s)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: "found", TaskQueue: "nobody", TypedSearchAttributes: temporal.NewSearchAttributes(values...),
	}, greet, "x")
	if err != nil {
		t.Fatalf("start workflow: %v", err)
	}
	for _, a := range attributes {
		t.Run(a.kind.String(), func(t *testing.T) {
			eventually(t, func() bool {
				got, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: a.query})
				if err != nil {
					t.Fatalf("%s: %v", a.query, err)
				}
				return len(got.GetExecutions()) == 1 && got.GetExecutions()[0].GetExecution().GetRunId() == run.GetRunID()
			})
		})
	}
	c.Close()
	stop(t, s)

	// A restart keeps them and adds more, usable at once.
	again := start(t, Options{Dir: dir, SearchAttributes: map[string]enumspb.IndexedValueType{
		"AKeyword": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Another": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	}})
	got, err := dial(t, again).CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Query: `AKeyword = "k-1" AND AnInt = 7 AND Another IS NULL`,
	})
	if err != nil || got.GetCount() != 1 {
		t.Errorf("count after restart = %d, %v, want 1", got.GetCount(), err)
	}
	stop(t, again)

	_, err = Start(t.Context(), Options{Dir: dir, Listen: "127.0.0.1:0", SearchAttributes: map[string]enumspb.IndexedValueType{
		"AKeyword": enumspb.INDEXED_VALUE_TYPE_INT,
	}})
	if err == nil || !strings.Contains(err.Error(), "search attribute AKeyword: registered as Keyword, wanted as Int") {
		t.Errorf("start with another type: %v", err)
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 seconds")
		}
	}
}

func TestAssign(t *testing.T) {
	t.Parallel()
	list := enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST
	tests := map[string]struct {
		have  map[string]string
		want  map[string]enumspb.IndexedValueType
		out   map[string]string
		added bool
		err   string
	}{
		"nothing": {have: map[string]string{}, out: map[string]string{}},
		"first free column": {
			have: map[string]string{"KeywordList01": "A"}, want: map[string]enumspb.IndexedValueType{"A": list, "B": list},
			out: map[string]string{"KeywordList01": "A", "KeywordList02": "B"}, added: true,
		},
		"others stay": {
			have: map[string]string{"Int01": "Theirs"}, want: map[string]enumspb.IndexedValueType{"A": list},
			out: map[string]string{"Int01": "Theirs", "KeywordList01": "A"}, added: true,
		},
		"all taken": {
			have: map[string]string{"KeywordList01": "A", "KeywordList02": "B", "KeywordList03": "C"},
			want: map[string]enumspb.IndexedValueType{"D": list}, err: "all 3 of type KeywordList are taken",
		},
		"other type": {
			have: map[string]string{"Int01": "A"}, want: map[string]enumspb.IndexedValueType{"A": list},
			err: "registered as Int, wanted as KeywordList",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			added, err := assign(tt.have, tt.want)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || added != tt.added || !maps.Equal(tt.have, tt.out) {
				t.Errorf("assign = %v, %v, %v, want %v, %v", tt.have, added, err, tt.out, tt.added)
			}
		})
	}
}
