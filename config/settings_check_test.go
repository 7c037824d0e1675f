package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/config"
)

const pluginSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "required": ["url", "mode"],
  "properties": {
    "url": {"type": "string", "minLength": 1, "description": "Where to write to."},
    "mode": {"enum": ["append", "upsert"]},
    "batch": {"type": "integer", "minimum": 1, "maximum": 1000},
    "ratio": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.25},
    "on": {"type": "boolean"},
    "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
    "email": {"type": "string", "format": "email"},
    "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true, "minItems": 1},
    "table": {"$ref": "#/$defs/table"},
    "either": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    "auth": {"oneOf": [
      {"type": "object", "required": ["token"], "properties": {"token": {"type": "string"}}, "additionalProperties": false},
      {"type": "object", "required": ["user", "password"], "properties": {"user": {"type": "string"}, "password": {"type": "string"}}, "additionalProperties": false}
    ]},
    "old": false
  },
  "dependentRequired": {"batch": ["ratio"]},
  "$defs": {"table": {"type": "object", "properties": {"columns": {"type": "array", "items": {"type": "object", "properties": {"a/b": {"type": "string"}}, "additionalProperties": false}}}}}
}`

func TestCheckSettings(t *testing.T) {
	for name, tt := range map[string]struct {
		settings string
		want     string // lines, "" if all is well
	}{
		"good":                   {`{url: x, mode: append, either: [a], auth: {token: x}, table: {columns: [{"a/b": x}]}}`, ""},
		"nothing":                {`{}`, "5:13: mode: is required\n5:13: url: is required (where to write to)"},
		"unknown":                {`{url: x, mode: append, modes: y, uri: z}`, "5:36: modes: unknown setting of the plugin (did you mean mode?)\n5:46: uri: unknown setting of the plugin (did you mean url?)"},
		"types":                  {`{url: 5, mode: append, batch: "7", ratio: 1, on: "true", tags: a}`, "5:19: url: must be text, not a number (quote it if it is meant as text)\n5:43: batch: must be a whole number, not text (remove the quotes, if there are any)\n5:62: on: must be true or false, not text (write true or false, without quotes)\n5:76: tags: must be a list, not text"},
		"a fraction":             {`{url: x, mode: append, batch: 1.5, ratio: 1}`, "5:43: batch: must be a whole number, not a number"},
		"bounds":                 {`{url: "", mode: append, batch: 0, ratio: 0.3, tags: []}`, "5:19: url: must not be empty\n5:44: batch: is too small (the least is 1)\n5:54: ratio: must be a multiple of 0.25\n5:65: tags: has too few items (at least 1)"},
		"enum":                   {`{url: x, mode: apend}`, "5:28: mode: is not one of the allowed values (did you mean append? one of append, upsert)"},
		"pattern and format":     {`{url: x, mode: append, name: ABCDEFG, email: nobody}`, "5:42: name: does not have the required form (it must match ^[a-z]+$)\n5:42: name: is too long: 7 characters (at most 5)\n5:58: email: is not a valid email"},
		"deep":                   {`{url: x, mode: append, table: {columns: [{}, {"a/b": [1]}, {"a-b": x}]}}`, `5:66: table.columns[1]["a/b"]: must be text, not a list (quote it if it is meant as text)` + "\n" + `5:73: table.columns[2].a-b: unknown setting of the plugin (did you mean a/b?)`},
		"items twice":            {`{url: x, mode: append, tags: [a, b, a]}`, "5:42: tags: items 1 and 3 are the same (remove one of them)"},
		"alternatives of type":   {`{url: x, mode: append, either: 5}`, "5:44: either: must be a list or text"},
		"alternatives, nearest":  {`{url: x, mode: append, auth: {user: u}}`, "5:42: auth.password: is required"},
		"dependent":              {`{url: x, mode: append, batch: 5}`, "5:13: ratio: is required with batch (add it, or remove batch)"},
		"forbidden":              {`{url: x, mode: append, old: 1}`, "5:41: old: is not allowed here (remove it)"},
		"references as numbers":  {`{url: "${WORD}", mode: append, batch: "${NUMBER}", ratio: "${NUMBER}", on: "${NOPE:-true}"}`, ""},
		"references as text":     {`{url: "${NUMBER}", mode: append}`, ""},
		"a reference that fails": {`{url: x, mode: "${WORD}", batch: "${WORD}", ratio: 1}`, "5:28: mode: is not one of the allowed values (one of append, upsert)\n5:46: batch: must be a whole number, not text"},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, "sources: {rootfi: {type: rootfi, auth: none}}\ndestinations:\n  audit:\n    plugin: file\n    config: "+tt.settings+"\nroutes: [{name: all, to: [audit]}]\n")
			got := f.CheckSettings("audit", json.RawMessage(pluginSchema)).Error()
			got = strings.ReplaceAll(strings.ReplaceAll(got, "test.yaml:", ""), "destinations.audit.config.", "")
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReferencesTakeTheTypeOfTheSchema(t *testing.T) {
	f := parse(t, "destinations: {audit: {plugin: file, config: {url: x, mode: append, batch: '${NUMBER}', ratio: '${R:-2.50}', on: '${NOPE:-false}', tags: ['${NUMBER}']}}}\n"+
		"sources: {rootfi: {type: rootfi, auth: none}}\nroutes: [{name: all, to: [audit]}]\n")
	if ds := f.CheckSettings("audit", json.RawMessage(pluginSchema)); ds != nil {
		t.Fatal(ds)
	}
	got, err := f.Config.Destinations["audit"].SettingsJSON()
	want := `{"batch":12,"mode":"append","on":false,"ratio":2.50,"tags":["12"],"url":"x"}`
	if err != nil || string(got) != want {
		t.Errorf("%v: got %s, want %s", err, got, want)
	}
}

func TestCheckSettingsLeavesReportedValuesAlone(t *testing.T) {
	f, err := config.Parse("x.yaml", []byte("destinations: {audit: {plugin: file, config: {url: '${NOPE}', mode: append, batch: 007, ratio: 1}}, b: {plugin: file, config: 5}}\n"), resolver)
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"audit", "b", "missing"} {
		if ds := f.CheckSettings(name, json.RawMessage(pluginSchema)); ds != nil {
			t.Errorf("%s: %v", name, ds)
		}
	}
}

func TestCheckSettingsWithAnUnusableSchema(t *testing.T) {
	f := parse(t, minimal)
	for _, schema := range []string{`{`, `{"type": 5}`, `{"$ref": "file:///etc/passwd"}`, `{"$ref": "https://example.com/schema.json"}`} {
		ds := f.CheckSettings("audit", json.RawMessage(schema))
		if len(ds) != 1 || ds[0].Path != "destinations.audit.plugin" {
			t.Errorf("%s: %v", schema, ds)
		}
	}
	for _, schema := range []string{``, ` `, `{}`, `true`} {
		if ds := f.CheckSettings("audit", json.RawMessage(schema)); ds != nil {
			t.Errorf("%q: %v", schema, ds)
		}
	}
}

const secretive = `
server: {admin_token: s3cret-plain, listen: "127.0.0.1:${NUMBER}"}
temporal: {address: "h:1", api_key: s3cret-plain}
sources:
  a: {type: rootfi, auth: [{header: {name: k, value: s3cret-plain}}, {basic: {username: u, password: s3cret-plain}}]}
  b: {type: rootfi, auth: [{hmac: {header: h, secrets: [s3cret-plain]}}, {standard_webhooks: {secrets: [c2VjcmV0]}}]}
destinations:
  audit:
    plugin: file
    timeout: "${NUMBER}s"
    config:
      path: ./out
      url: postgres://u:s3cret@h/db
      signed_url: https://h/x?sig=s3cret
      docs: https://h/x
      nested: {client_secret: {a: s3cret}, Password: s3cret, list: ["${WORD}", 5]}
      number: 1.50
    env: {A: s3cret-plain}
routes: [{name: all, to: [audit]}]
`

func TestNothingPrintsSecrets(t *testing.T) {
	f := parse(t, secretive)
	c := f.Config
	show := map[string]any{
		"config": c, "value": *c, "server": c.Server, "temporal": &c.Temporal, "sources": c.Sources, "source": c.Sources["a"],
		"entry": c.Sources["a"].Auth.Entries[0].Header, "basic": *c.Sources["a"].Auth.Entries[1].Basic,
		"entries": c.Sources["b"].Auth, "destination": c.Destinations["audit"], "redacted": f.Redacted(),
	}
	for name, v := range show {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		j, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		text := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) + log.String() + string(j)
		if strings.Contains(text, "s3cret") || strings.Contains(text, "c2VjcmV0") {
			t.Errorf("%s prints a secret: %s", name, text)
		}
	}
	y, err := f.RedactedYAML()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/redacted.golden", string(y))
}

func TestPattern(t *testing.T) {
	for pattern, names := range map[config.Pattern]string{
		"*":         " INVOICES ü",
		"INV*":      "INV INVOICES !XINV !IN",
		"*S":        "S INVOICES !INVOICE",
		"I*O*S":     "IOS INVOICES !INVICES",
		"?":         "a ü ! !ab",
		"A?C":       "ABC AüC !AC !ABBC",
		"ABC":       "ABC !ABCD !abc",
		"*a*b*c*d*": "abcd xaxbxcxdx !abdc",
	} {
		for name := range strings.SplitSeq(names, " ") {
			name, refused := strings.CutPrefix(name, "!")
			if pattern.Match(name) == refused {
				t.Errorf("%q matches %q: %v", pattern, name, !refused)
			}
		}
	}
}

// The ways in which plugins take secrets, without anybody to ask the plugin.
func TestSecretsOfPluginsAreMasked(t *testing.T) {
	f := parse(t, `
sources: {rootfi: {type: rootfi, auth: none}}
destinations:
  hook:
    plugin: webhook
    config:
      url: https://user:s3cret@example.com/
      also: https://example.com/?key=s3cret
      dsn2: "host=db user=u password=s3cret sslmode=disable"
      headers: {X-Api-Key: s3cret, Cookie: s3cret, Anything: s3cret}
      proxy: s3cret
      api-key: s3cret
      deep: [{private-key: s3cret, passphrase: s3cret}]
      plain: shown
routes: [{name: all, to: [hook], constants: {access-key: s3cret, plain: shown}}]
`)
	y, err := f.RedactedYAML()
	j, _ := json.Marshal(f.Effective())
	if out := string(y) + string(j); err != nil || strings.Contains(out, "s3cret") || strings.Count(out, "shown") != 4 {
		t.Errorf("%s, %v", out, err)
	}
}
