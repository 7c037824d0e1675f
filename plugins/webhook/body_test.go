package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/plugins/destination"
	"gopkg.in/yaml.v3"
)

func event(kind, fields string) destination.Record {
	r := upsert("1", 1, fields)
	r.Operation, r.Key, r.IdempotencyKey = destination.Append, []string{"evt_1"}, "rootfi/evt_1"
	r.Origin = destination.Origin{Source: "rootfi", CompanyID: "285", Integration: "ZOHO_BOOKS", EventID: "evt_1", EventKind: kind}
	return r
}

func events(rs ...destination.Record) destination.Batch {
	return destination.Batch{Mode: destination.ModeEvents, Object: "events", KeyFields: []string{"_event_id"}, Records: rs}
}

// slack answers as incoming webhooks of Slack do.
func slack(w http.ResponseWriter, _ *http.Request, body string) {
	var m struct {
		Text   string
		Blocks []any
	}
	switch err := json.Unmarshal([]byte(body), &m); {
	case err != nil:
		http.Error(w, "invalid_payload", http.StatusBadRequest)
	case m.Text == "" && len(m.Blocks) == 0:
		http.Error(w, "no_text", http.StatusBadRequest)
	default:
		_, _ = io.WriteString(w, "ok")
	}
}

// The example of the configuration, against an endpoint like Slack's.
func TestSlack(t *testing.T) {
	text, err := os.ReadFile("../../config/examples/slack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Destinations map[string]struct{ Config map[string]any }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var got string
	e := newEndpoint(t, func(w http.ResponseWriter, r *http.Request, body string) {
		got = body
		slack(w, r, body)
	})
	settings := file.Destinations["slack"].Config
	settings["url"] = e.URL + "/services/T000/B000/XXXX"
	d := open(t, settings)
	for name, tt := range map[string]struct {
		record destination.Record
		want   string
	}{
		"connection": {
			event("connection_changed", `{"connection_status":"EXPIRED"}`),
			`{"text":":warning: The connection of company 285 to ZOHO_BOOKS is EXPIRED."}`,
		},
		"sync": {
			event("sync_completed", `{"data":{"status":"FAILED","id":"pt21","failed_jobs_count":3,"total_jobs_count":15}}`),
			`{"text":":x: The sync pt21 of company 285 with ZOHO_BOOKS failed: 3 of 15 jobs."}`,
		},
		"a value that would call a channel": {
			event("connection_changed", `{"connection_status":"<!channel> \" & }{"}`),
			`{"text":":warning: The connection of company 285 to ZOHO_BOOKS is &lt;!channel&gt; \" &amp; }{."}`,
		},
		"little is known": {
			event("sync_completed", `{"data":null}`),
			`{"text":":x: The sync  of company 285 with ZOHO_BOOKS failed: 0 of 0 jobs."}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if r := write(t, d, events(tt.record))[0]; r.Kind != destination.Delivered {
				t.Errorf("%+v", r)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestBody(t *testing.T) {
	var got string
	e := newEndpoint(t, func(w http.ResponseWriter, _ *http.Request, body string) { got = body })
	d := open(t, map[string]any{"url": e.URL, "body": map[string]any{
		"n": 12, "on": true, "list": []any{"{{.fields.total}}", map[string]any{"id": "{{index .key \"_platform_id\"}}"}},
		"raw": "{{json .fields.lines}}", "none": "{{.fields.gone}}", "null": "[{{.fields.memo}}]",
	}})
	write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{"total":12345678901234567890.10,"lines":[{"a":1.50}],"memo":null}`)))
	want := `{"list":["12345678901234567890.10",{"id":"1"}],"n":12,"none":"","null":"[]","on":true,"raw":"[{\"a\":1.50}]"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	lines, err := d.DryRun(t.Context(), batch(destination.ModeRecords, upsert("1", 1, `{"lines":[]}`)))
	if err != nil || len(lines) != 1 || !strings.Contains(lines[0], `"n":12`) {
		t.Errorf("%q, %v", lines, err)
	}
}

// A template that fails for one record rejects that one.
func TestBodyThatFails(t *testing.T) {
	e := newEndpoint(t, nil)
	d := open(t, map[string]any{"url": e.URL, "body": map[string]any{"text": `{{slice .fields.memo 0 3}}`}})
	got := write(t, d, batch(destination.ModeRecords, upsert("1", 1, `{"memo":"ab"}`), upsert("2", 1, `{"memo":"abcd"}`)))
	if got[0].Kind != destination.Rejected || got[0].Code != "invalid_record" || !strings.Contains(got[0].Message, "body.text") {
		t.Errorf("%+v", got[0])
	}
	if got[1].Kind != destination.Delivered {
		t.Errorf("%+v", got[1])
	}
}

func TestBodySettings(t *testing.T) {
	for name, tt := range map[string]struct{ body, problem string }{
		"open action":      {`{"blocks":[{"text":"{{.x"}]}`, "body.blocks[0].text"},
		"unknown function": {`{"text":"{{.x | shout}}"}`, "shout"},
		"not an object":    {`"text"`, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings(fmt.Appendf(nil, `{"url":"https://x","body":%s}`, tt.body))
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("error %v, want one about %q", err, tt.problem)
			}
		})
	}
	if _, err := parseSettings([]byte(`{"url":"https://x","batch":true,"body":{"text":"x"}}`)); err == nil || !strings.Contains(err.Error(), "batch") {
		t.Errorf("batch and body: %v", err)
	}
}

// FuzzBody: whatever a value is, the body stays the JSON that was configured.
func FuzzBody(f *testing.F) {
	b, err := parseBody(map[string]json.RawMessage{"text": json.RawMessage(`"<{{.fields.v}}>"`), "n": json.RawMessage(`1`)})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`","n":2,"x":"`, "{{.key}}", "\x00\u2028", "<no value>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		message, err := json.Marshal(map[string]any{"fields": map[string]string{"v": value}})
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.render(message)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(out, &got); err != nil || len(got) != 2 || got["n"] != float64(1) {
			t.Errorf("%s, %v", out, err)
		}
	})
}
