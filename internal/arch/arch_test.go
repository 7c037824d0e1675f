package arch

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluicehq/sluice/"

// allowed is the architecture: what each package of this module may import from
// this module. A package that is missing here fails the test. Imports point the
// way of the data: endpoint, ledger, dispatch, workflows, activities, host.
var allowed = map[string][]string{
	"internal/event":  {},
	"internal/fault":  {},
	"internal/rootfi": {"internal/event"},
	"config":          {"config/expr", "config/packs", "internal/event"},
	"config/expr":     {"internal/event", "internal/rootfi"},
	"config/packs":    {},
	"config/views":    {"config", "config/expr"},
	"config/views/viewstest": {
		"config", "config/expr", "config/mapping", "config/views", "internal/event", "plugins/destination",
	},
	"config/routing": {"config", "config/expr", "internal/event"},
	"config/mapping": {"config", "config/expr", "internal/event", "plugins/destination"},

	"internal/ledger":            {"internal/event"},
	"internal/ledger/sqlite":     {"internal/event", "internal/fault", "internal/ledger"},
	"internal/ledger/postgres":   {"internal/event", "internal/fault", "internal/ledger"},
	"internal/ledger/ledgertest": {"internal/event", "internal/ledger"},
	"internal/endpoint":          {"internal/event", "internal/ledger"},
	"internal/endpoint/admin":    {"internal/event", "internal/ledger"},

	"activities":        {"config/expr", "config/mapping", "config/routing", "internal/event", "internal/fault", "internal/ledger", "plugins/destination"},
	"workflows":         {"activities"},
	"internal/dispatch": {"workflows", "internal/event", "internal/fault", "internal/ledger"},
	"internal/worker":   {"workflows", "activities", "internal/fault", "internal/ledger"},
	"internal/embedded": {},

	// Plugins see nothing of the server: they are examples for outsiders.
	"plugins/destination":                       {},
	"plugins/destination/destinationpb":         {},
	"plugins/destination/conformance":           {"plugins/destination"},
	"plugins/destination/conformance/documents": {"plugins/destination/conformance", "plugins/destination/conformance/httpfault"},
	"plugins/destination/conformance/httpfault": {"plugins/destination/conformance"},
	"plugins/destination/bisect":                {},
	"plugins/destination/httpanswer":            {"plugins/destination"},
	"plugins/destination/metrics":               {"plugins/destination"},
	"plugins/destination/oauth":                 {"plugins/destination", "plugins/destination/httpanswer"},
	"plugins/destination/pace":                  {},
	"plugins/destination/redact":                {},
	"plugins/destination/sqlstate":              {"plugins/destination"},
	"plugins/destination/destinationtest":       {"plugins/destination", "plugins/destination/conformance"},
	"plugins/destination/serve":                 {"plugins/destination", "plugins/internal/wire"},
	"plugins/internal/wire":                     {"plugins/destination", "plugins/destination/destinationpb", "plugins/internal/rawjson"},
	"plugins/internal/sqlcore":                  {"plugins/destination", "plugins/internal/rawjson"},
	"plugins/internal/sqlcore/sqltest":          {"plugins/destination", "plugins/internal/sqlcore"},
	"plugins/internal/sqlcore/sqltest/remote":   {"internal/netfault", "plugins/destination/conformance"},
	"plugins/internal/placeholder":              {"plugins/destination"},
	"plugins/internal/parquetfile":              {"plugins/destination"},
	"plugins/internal/parquetfile/parquettest":  {},
	"plugins/internal/part":                     {"plugins/destination", "plugins/internal/parquetfile"},
	"plugins/file":                              {"plugins/destination", "plugins/destination/serve", "plugins/internal/parquetfile", "plugins/internal/part", "plugins/internal/placeholder"},
	"plugins/s3":                                {"plugins/destination", "plugins/destination/redact", "plugins/destination/serve", "plugins/internal/parquetfile", "plugins/internal/part", "plugins/internal/placeholder"},
	"plugins/kafka":                             {"plugins/destination", "plugins/destination/serve", "plugins/internal/placeholder"},
	"plugins/kafka/kafkatest":                   {},
	"plugins/webhook":                           {"plugins/destination", "plugins/destination/bisect", "plugins/destination/httpanswer", "plugins/destination/redact", "plugins/destination/serve"},
	"plugins/hubspot":                           {"plugins/destination", "plugins/destination/bisect", "plugins/destination/httpanswer", "plugins/destination/redact", "plugins/destination/serve", "plugins/destination/oauth"},
	"plugins/postgres":                          {"plugins/destination/sqlstate", "plugins/destination", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/sqlite":                            {"plugins/destination", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/clickhouse":                        {"plugins/destination", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/redshift":                          {"plugins/destination", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/bigquery":                          {"plugins/destination", "plugins/destination/httpanswer", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/snowflake":                         {"plugins/destination", "plugins/destination/httpanswer", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/mysql":                             {"plugins/destination", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/duckdb":                            {"plugins/destination", "plugins/destination/serve", "plugins/internal/sqlcore"},
	"plugins/salesforce":                        {"plugins/destination", "plugins/destination/httpanswer", "plugins/destination/oauth", "plugins/destination/redact", "plugins/destination/serve"},
	"examples/plugin-hello":                     {"plugins/destination", "plugins/destination/serve"},
	"examples/plugin-typescript":                {},
	"plugins/internal/rawjson":                  {},

	// The server sees nothing of a plugin but the contract.
	"plugins/host":          {"plugins/destination", "plugins/internal/wire"},
	"plugins/host/trial":    {"plugins/host"},
	"plugins/host/hosttest": {"plugins/host", "plugins/host/trial"},

	// The only place that knows all types.
	"internal/app": {
		"activities", "config", "config/mapping", "config/routing", "internal/dispatch", "internal/embedded", "internal/endpoint",
		"internal/endpoint/admin", "internal/event", "internal/fault", "internal/ledger", "internal/ledger/sqlite", "internal/ledger/postgres",
		"internal/payloads", "internal/rootfi", "internal/worker", "plugins/destination", "plugins/host", "workflows",
	},
	"internal/payloads": {"activities", "internal/event", "internal/rootfi"},
	"internal/rehearsal": {
		"activities", "config", "config/mapping", "config/routing", "internal/event", "internal/rootfi", "plugins/destination",
	},
	"internal/plugintest": {"plugins/destination", "plugins/destination/conformance", "plugins/host", "plugins/host/trial"},
	"internal/sandbox":    {},
	"internal/scaffold":   {},
	// Systems that destinations write to, for tests and trials.
	"internal/fake/hubspot":    {"internal/fake/mishap"},
	"internal/fake/salesforce": {"internal/fake/mishap"},
	"internal/fake/redshift":   {},
	"internal/fake/warehouse":  {},
	"internal/fake/bigquery":   {"internal/fake/warehouse"},
	"internal/fake/snowflake":  {"internal/fake/warehouse"},
	"internal/fake/s3":         {},
	"internal/fake/mishap":     {},

	"internal/demo": {"internal/endpoint/admin", "internal/proc", "internal/sandbox"},
	"cmd/sluice": {
		"config", "config/packs", "config/routing", "config/views", "internal/app", "internal/demo", "internal/fake/bigquery", "internal/fake/hubspot", "internal/fake/mishap", "internal/fake/salesforce", "internal/fake/snowflake",
		"internal/payloads", "internal/rehearsal", "internal/endpoint/admin", "internal/event", "internal/ledger",
		"internal/plugintest", "internal/sandbox", "internal/scaffold", "plugins/destination/conformance/documents", "plugins/destination", "plugins/destination/conformance", "plugins/host",
	},

	// Packages of tests.
	"internal/arch":           {},
	"internal/docs":           {},
	"internal/e2e":            {},
	"internal/pgtest":         {"internal/pgserver"},
	"internal/leaktest":       {},
	"internal/servertest":     {"internal/proc"},
	"internal/clickhousetest": {"internal/proc", "internal/servertest"},
	"internal/mariadbtest":    {"internal/proc", "internal/servertest"},

	// What runs Sluice as a black box, for the demo, tests, benchmarks and fault drivers.
	"internal/proc":             {},
	"internal/netfault":         {"internal/proc"},
	"internal/cluster":          {"internal/proc"},
	"internal/cluster/temporal": {"internal/cluster"},
	"internal/pgserver":         {"internal/proc"},
	"internal/harness":          {"internal/endpoint/admin", "internal/proc"},
	"internal/bench":            {"internal/harness", "internal/pgserver", "internal/proc"},
	"cmd/sluice-bench":          {"internal/bench"},
	"internal/chaos": {
		"internal/demo", "internal/endpoint/admin", "internal/fault", "internal/harness", "internal/ledger", "internal/netfault",
		"internal/pgserver", "internal/proc", "internal/sandbox",
	},
	"cmd/sluice-chaos": {"internal/chaos", "internal/embedded"},
}

// foreign says, for modules that should not spread, which packages may import
// what begins with a prefix.
var foreign = map[string][]string{
	"go.temporal.io/": {
		"workflows", "activities", "internal/dispatch", "internal/worker", "internal/app", "internal/bench", "internal/embedded",
		"internal/cluster", "internal/e2e",
	},
	"go.temporal.io/server/": {"internal/embedded", "internal/cluster"},
	"github.com/temporalio/": {"internal/embedded"},
	"github.com/hashicorp/":  {"plugins/host", "plugins/internal/wire", "plugins/destination/serve"},
	"google.golang.org/grpc": {
		"internal/bench", "internal/embedded", "internal/cluster", "internal/worker", "plugins/host", "plugins/internal/wire",
		"plugins/destination/serve", "plugins/destination/destinationpb",
	},
	"gopkg.in/yaml":             {"internal/plugintest", "internal/rehearsal", "config"},
	"cel.dev/":                  {"config/expr"},
	"github.com/cockroachdb/":   {"config/expr", "internal/fake/warehouse", "plugins/internal/parquetfile", "plugins/redshift"},
	"github.com/ncruces/":       {"config/expr"},
	"github.com/spf13/":         {"cmd/sluice"},
	"github.com/julienschmidt/": {"internal/endpoint", "internal/endpoint/admin"},
	"github.com/prometheus/":    {"activities", "internal/app", "internal/endpoint", "internal/proc"},
	"modernc.org/":              {"internal/chaos", "internal/demo", "internal/ledger/sqlite", "internal/plugintest", "plugins/sqlite"},
	"github.com/jackc/":         {"internal/bench", "internal/chaos", "internal/fake/redshift", "internal/ledger/postgres", "internal/pgserver", "internal/pgtest", "internal/plugintest", "plugins/postgres", "plugins/redshift"},
	"github.com/duckdb/":        {"plugins/duckdb"},
	"github.com/ClickHouse/":    {"internal/clickhousetest", "plugins/clickhouse"},
	"github.com/go-sql-driver/": {"internal/mariadbtest", "plugins/mysql"},
	"github.com/stretchr/":      {},
	"cloud.google.com/":         {"plugins/bigquery"},
	"google.golang.org/api/":    {"plugins/bigquery"},
	"golang.org/x/oauth2":       {"plugins/destination/oauth", "plugins/hubspot", "plugins/salesforce"},
	"github.com/twmb/":          {"plugins/kafka", "plugins/kafka/kafkatest"},
	"github.com/minio/":         {"plugins/s3"},
	"github.com/parquet-go/":    {"plugins/internal/parquetfile", "plugins/internal/parquetfile/parquettest"},
	"github.com/sluicehq/sluice/plugins/internal/": {
		"plugins/bigquery",
		"plugins/clickhouse",
		"plugins/destination/serve",
		"plugins/duckdb",
		"plugins/file",
		"plugins/host",
		"plugins/internal/part",
		"plugins/internal/sqlcore",
		"plugins/internal/sqlcore/sqltest",
		"plugins/internal/wire",
		"plugins/kafka",
		"plugins/mysql",
		"plugins/postgres",
		"plugins/redshift",
		"plugins/s3",
		"plugins/snowflake",
		"plugins/sqlite",
	},
}

// pkg is a package as go list describes it. Imports of tests are free.
type pkg struct {
	ImportPath, Dir, Name string
	GoFiles               []string
	Imports               []string
}

// packages lists those of this module and of the plugins that are modules of
// their own.
func packages(t *testing.T) []pkg {
	t.Helper()
	root := filepath.Join("..", "..")
	modules, err := filepath.Glob(filepath.Join(root, "plugins", "*", "go.mod"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("%d plugins are modules, %v", len(modules), err)
	}
	list := listed(t, root)
	for _, m := range modules {
		list = append(list, listed(t, filepath.Dir(m))...)
	}
	if len(list) < 10 {
		t.Fatalf("go list found only %d packages", len(list))
	}
	return list
}

func listed(t *testing.T, dir string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Name,GoFiles,Imports", "./...")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Name != "" { // a folder whose files are all for other build tags
			list = append(list, p)
		}
	}
	return list
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		may, ok := allowed[name]
		if !ok {
			t.Errorf("%s is not in the table: say there what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			if dep, ours := strings.CutPrefix(imp, module); ours && !slices.Contains(may, dep) {
				t.Errorf("%s must not import %s", name, dep)
			}
			for prefix, users := range foreign {
				if strings.HasPrefix(imp, prefix) && !slices.Contains(users, name) {
					t.Errorf("%s must not import %s: only %s may", name, imp, strings.Join(users, ", "))
				}
			}
		}
	}
}

// A name that nobody can guess the contents of gathers everything.
func TestPackageNames(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "base", "manager", "types", "models"}, p.Name) {
			t.Errorf("%s: name a package after what it is about", p.ImportPath)
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	for _, p := range packages(t) {
		var in []string
		text := ""
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				in, text = append(in, name), f.Doc.Text()
			}
		}
		prefix := "Package " + p.Name + " "
		if p.Name == "main" {
			prefix = "Command "
		}
		switch {
		case len(p.GoFiles) == 0:
			t.Errorf("%s has tests only: give it a doc.go", p.ImportPath)
		case len(in) != 1:
			t.Errorf("%s has package comments in %v, want exactly one", p.ImportPath, in)
		case !strings.HasPrefix(text, prefix):
			t.Errorf("%s: the package comment begins %q, want %q", p.ImportPath, text[:min(len(text), 30)], prefix)
		}
	}
}
