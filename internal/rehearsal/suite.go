package rehearsal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/config"
)

// Suite is a file of tests.
type Suite struct {
	Name  string `yaml:"-"` // of the file
	Tests []Test `yaml:"tests" doc:"Tests, each on its own." required:"true"`

	data []byte
}

// Test sends events through the configuration and says what destinations get.
type Test struct {
	Name       string     `yaml:"name" doc:"What the test shows." required:"true"`
	Records    []State    `yaml:"records" doc:"Records that are there before, and that all destinations have."`
	Events     []Step     `yaml:"events" doc:"Events, in the order in which they come." required:"true"`
	Together   bool       `yaml:"together" doc:"The events are taken as one batch, as those of a backlog are. Default: each on its own."`
	Deliveries []Expected `yaml:"deliveries" doc:"What the destinations get: for each destination all of it, in order. An empty list: nothing."`
	Unrouted   int        `yaml:"unrouted" doc:"How many of the events no route takes." default:"0" min:"0"`
}

// State is a record that is there before.
type State struct {
	Source      string         `yaml:"source" doc:"Name of the source. Default: the only one."`
	Company     string         `yaml:"company" doc:"Company id." required:"true"`
	Integration string         `yaml:"integration" doc:"Integration, such as XERO." required:"true"`
	Model       string         `yaml:"model" doc:"Data model, such as INVOICES." required:"true"`
	PlatformID  string         `yaml:"platform_id" doc:"Platform id." required:"true"`
	Version     int            `yaml:"version" doc:"Its version." default:"1" min:"1"`
	Fields      map[string]any `yaml:"fields" doc:"Its fields."`
}

// Step is one event.
type Step struct {
	Source   string         `yaml:"source" doc:"Name of the source. Default: the only one."`
	Body     map[string]any `yaml:"body" doc:"Body of the webhook. One of body and file."`
	File     string         `yaml:"file" doc:"File with the body; a relative path starts at the folder of the test file."`
	Received string         `yaml:"received" doc:"When it comes, as RFC 3339. Default: a second after the one before."`
}

// Expected is one delivery. What is not given is not compared.
type Expected struct {
	Destination   string            `yaml:"destination" doc:"Name of the destination." required:"true"`
	Route         string            `yaml:"route" doc:"Route that sends it."`
	Object        string            `yaml:"object" doc:"Table or object."`
	Operation     string            `yaml:"operation" doc:"upsert, delete or append." enum:"upsert,delete,append"`
	Key           map[string]string `yaml:"key" doc:"Key fields with their values."`
	Version       int               `yaml:"version" doc:"Version; 0: any." default:"0" min:"0"`
	Fields        map[string]any    `yaml:"fields" doc:"All fields, with their values."`
	FieldsInclude map[string]any    `yaml:"fields_include" doc:"Some of the fields, with their values."`
	Problem       string            `yaml:"problem" doc:"Part of the reason why the destination gets nothing."`
}

const maxBody = 32 << 20

// Load reads a file of tests.
func Load(path string) (*Suite, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tests: %w", err)
	}
	s := &Suite{Name: path, data: data}
	if ds := config.Decode(path, data, s); ds.Err() != nil {
		return nil, ds
	}
	return s, nil
}

// Beside lists the files of tests that belong to a configuration: those of its
// directory, or the one with its name.
func Beside(path string) []string {
	pattern := filepath.Join(path, "*.test.y*ml")
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		pattern = strings.TrimSuffix(path, filepath.Ext(path)) + ".test.y*ml"
	}
	found, _ := filepath.Glob(pattern) // a pattern of ours is well formed
	slices.Sort(found)
	return found
}
