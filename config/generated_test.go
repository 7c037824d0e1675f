package config_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/sluicehq/sluice/config"
	"gopkg.in/yaml.v3"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	golden(t, "sluice.schema.json", string(config.Schema()))
	golden(t, "../docs/reference/configuration.md", string(config.Reference()))
}

// schemaAccepts validates a YAML file as an editor would.
func schemaAccepts(t *testing.T, data []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("sluice.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sluice.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

func TestSchemaAcceptsTheExamples(t *testing.T) {
	for _, name := range examples(t) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := schemaAccepts(t, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefusesWhatItCanSee(t *testing.T) {
	for _, name := range []string{"unknown-keys", "missing-required", "wrong-types", "ranges", "enums"} {
		data, err := os.ReadFile("testdata/bad/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if schemaAccepts(t, data) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReferenceNamesEverySetting(t *testing.T) {
	page := string(config.Reference())
	for _, want := range []string{
		"| `listen` |", "| `max_elapsed` |", "## `sources.<name>.auth[].hmac`", "| `tolerance` | duration | `5m` |",
		"## `routes[]`", "| `to` | list of text |", "Secret: never printed.",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the reference page lacks %s", want)
		}
	}
}
