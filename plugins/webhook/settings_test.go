package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	for name, tt := range map[string]struct{ settings, problem string }{
		"least": {`{"url":"https://example.com/hook"}`, ""},
		"all": {`{"url":"http://u:p@example.com/h?x=y","secret":"` + secret + `","secrets":["` + secret + `"],"headers":{"x-key":"v"},"timeout":"1m",` +
			`"batch":true,"concurrency":1,"allow_networks":["10.0.0.0/8","::1"],"proxy":"http://proxy:3128","max_response_bytes":1024}`, ""},
		"no url":          {`{}`, "url"},
		"unknown":         {`{"url":"https://x","uri":"y"}`, "uri"},
		"relative url":    {`{"url":"example.com/SECRET"}`, "url"},
		"other scheme":    {`{"url":"ftp://example.com/SECRET"}`, "url"},
		"broken url":      {`{"url":"http://exa mple/SECRET%zz"}`, "url"},
		"fragment":        {`{"url":"http://example.com/#SECRET"}`, "#"},
		"bare secret":     {`{"url":"https://x","secret":"SECRETSECRETSECRETSECRET"}`, "whsec_"},
		"broken secret":   {`{"url":"https://x","secrets":["whsec_SECRET!SECRETSECRETSECRET"]}`, "whsec_"},
		"short secret":    {`{"url":"https://x","secret":"whsec_QUFB"}`, "whsec_"},
		"reserved header": {`{"url":"https://x","headers":{"webhook-ID":"SECRET"}}`, "webhook-ID"},
		"broken header":   {`{"url":"https://x","headers":{"a b":"SECRET"}}`, "a b"},
		"line break":      {`{"url":"https://x","headers":{"X-Key":"SECRET\n"}}`, "X-Key"},
		"timeout":         {`{"url":"https://x","timeout":"soon"}`, "timeout"},
		"concurrency":     {`{"url":"https://x","concurrency":1000}`, "concurrency"},
		"network":         {`{"url":"https://x","allow_networks":["loopback"]}`, "loopback"},
		"response bytes":  {`{"url":"https://x","max_response_bytes":1}`, "max_response_bytes"},
		"proxy":           {`{"url":"https://x","proxy":"proxy:SECRET"}`, "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseSettings([]byte(tt.settings))
			if (err == nil) != (tt.problem == "") || err != nil && (!strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "SECRET")) {
				t.Errorf("error %v, want one about %q", err, tt.problem)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	d, err := newWebhook().Describe(t.Context())
	if err != nil || d.Name != "webhook" || !json.Valid(d.ConfigSchema) {
		t.Errorf("%+v, %v", d, err)
	}
	var schema struct {
		Properties map[string]struct {
			WriteOnly bool `json:"writeOnly"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(d.ConfigSchema, &schema); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"url", "secret", "secrets", "headers", "proxy"} {
		if !schema.Properties[name].WriteOnly {
			t.Errorf("%s is not marked as secret", name)
		}
	}
}
