package serve_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sluicehq/sluice/plugins/destination/serve"
)

type tls struct {
	CA     string `json:"ca"`
	Verify bool   `json:"verify,omitempty"`
}

type settings struct {
	URL     string            `json:"url" jsonschema:"writeOnly=true,description=where to"`
	Mode    string            `json:"mode,omitempty" jsonschema:"enum=a,enum=b,default=a"`
	Retries int               `json:"retries,omitempty" jsonschema:"minimum=0"`
	TLS     tls               `json:"tls,omitzero"`
	Headers map[string]string `json:"headers,omitempty"`
	Tags    []string          `json:"tags,omitempty"`
	hidden  int
}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"all":              {`{"url":"u","mode":"b","retries":3,"tls":{"ca":"c","verify":true},"headers":{"any":"x"},"tags":["t"]}`, ""},
		"least":            {`{"url":"u"}`, ""},
		"nothing":          {``, `setting "url" is required`},
		"null":             {`null`, `setting "url" is required`},
		"misspelt":         {`{"urll":"u"}`, `unknown setting "urll" (known: url, mode, retries, tls, headers, tags)`},
		"other case":       {`{"url":"u","MODE":"b"}`, `unknown setting "MODE"`},
		"inner unknown":    {`{"url":"u","tls":{"ca":"c","sni":1}}`, `unknown setting "tls.sni"`},
		"inner missing":    {`{"url":"u","tls":{}}`, `setting "tls.ca" is required`},
		"number for text":  {`{"url":5551234}`, `setting "url": must be a string, not a number`},
		"text for number":  {`{"url":"u","retries":"5551234"}`, `setting "retries": must be a whole number, not a string`},
		"fraction":         {`{"url":"u","retries":1.5551234}`, `setting "retries": must be a whole number, not a number`},
		"object for list":  {`{"url":"u","tags":{}}`, `setting "tags": must be a list, not an object`},
		"text for object":  {`{"url":"u","tls":"5551234"}`, `setting "tls": must be an object, not a string`},
		"text for flag":    {`{"url":"u","tls":{"ca":"c","verify":"5551234"}}`, `setting "tls.verify": must be true or false, not a string`},
		"list as settings": {`["5551234"]`, `settings must be an object, not a list`},
		"no JSON":          {`{"url":"5551234`, `settings are not JSON`},
		"two":              {`{"url":"u"}{}`, `more than one JSON value`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := serve.Decode[settings](json.RawMessage(tt.in))
			if tt.want == "" {
				if err != nil || s.URL != "u" {
					t.Fatalf("%+v, %v", s, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "5551234") {
				t.Errorf("the error quotes a value: %v", err)
			}
		})
	}
	_ = settings{}.hidden
}

func TestSchema(t *testing.T) {
	raw := serve.Schema[settings]()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:settings", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("mem:settings")
	if err != nil {
		t.Fatal(err)
	}
	for in, valid := range map[string]bool{
		`{"url":"u"}`:                       true,
		`{"url":"u","headers":{"any":"x"}}`: true,
		`{"url":"u","tls":{"ca":"c"}}`:      true,
		`{}`:                                false,
		`{"url":"u","mode":"c"}`:            false,
		`{"url":"u","retries":-1}`:          false,
		`{"url":"u","other":1}`:             false,
		`{"url":"u","tls":{"x":1}}`:         false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v", in, err)
		}
	}
	var s struct {
		Properties map[string]struct {
			WriteOnly bool `json:"writeOnly"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if !s.Properties["url"].WriteOnly || s.Properties["mode"].WriteOnly {
		t.Errorf("secrets: %+v", s)
	}
}

func TestSettingsMustBeAStruct(t *testing.T) {
	for name, f := range map[string]func(){
		"schema": func() { serve.Schema[string]() },
		"decode": func() { _, _ = serve.Decode[[]int](nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted it", name)
				}
			}()
			f()
		}()
	}
}
