package deploy

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metrics are those that docs/operating.md lists, which a test of Sluice compares
// with the code, with their labels and the words that their rows have.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(sluice_[a-z_]+)` \\| ([a-z, ]*)\\|").FindAllStringSubmatch(read(t, root+"/docs/operating.md"), -1) {
		out[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
	}
	if len(out) < 10 {
		t.Fatalf("docs/operating.md lists %d metrics", len(out))
	}
	return out
}

// ofPrometheus are series that every target has.
var ofPrometheus = map[string][]string{
	"up": {"job", "instance"}, "process_resident_memory_bytes": {"job", "instance"}, "process_cpu_seconds_total": {"job", "instance"},
}

// check parses an expression and looks up every metric, label and value in it.
// It returns the metrics.
func check(t *testing.T, where, expression string) []string {
	t.Helper()
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	known := metrics(t)
	words := read(t, root+"/docs/operating.md") + read(t, root+"/docs/rootfi.md")
	var used []string
	allowed := map[string]bool{"le": true}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := v.Name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && known[base] != nil {
				name = base
			}
		}
		has, ok := known[name]
		if !ok {
			if has, ok = ofPrometheus[name]; !ok {
				t.Errorf("%s: there is no metric %s", where, v.Name)
				return nil
			}
		}
		used = append(used, name)
		has = append(slices.Clone(has), "job", "instance")
		for _, label := range has {
			allowed[label] = true
		}
		for _, m := range v.LabelMatchers {
			if m.Name == model.MetricNameLabel {
				continue
			}
			if !slices.Contains(has, m.Name) {
				t.Errorf("%s: %s has no label %s", where, name, m.Name)
			}
			if strings.HasPrefix(m.Value, "$") || m.Name == "job" {
				continue
			}
			for _, value := range strings.Split(m.Value, "|") {
				if !strings.Contains(words, "`"+value+"`") {
					t.Errorf("%s: %s is never %q", where, m.Name, value)
				}
			}
		}
		return nil
	})
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				if !allowed[label] {
					t.Errorf("%s: grouped by the label %s, which nothing there has", where, label)
				}
			}
		}
		return nil
	})
	return used
}

const rulesFile = "prometheus/sluice.rules.yml"

func TestAlerts(t *testing.T) {
	groups, errs := rulefmt.ParseFile(rulesFile, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	documented := map[string]bool{}
	_, section, _ := strings.Cut(read(t, root+"/docs/operating.md"), "\n## Metrics\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, m := range regexp.MustCompile("(?m)^\\| `(Sluice[A-Za-z]+)` \\|").FindAllStringSubmatch(section, -1) {
		documented[m[1]] = true
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			check(t, r.Alert, r.Expr)
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s does not say what is wrong", r.Alert)
			}
			if !documented[r.Alert] {
				t.Errorf("docs/operating.md does not say what to do about %s", r.Alert)
			}
			delete(documented, r.Alert)
		}
	}
	for name := range documented {
		t.Errorf("docs/operating.md speaks of %s, which is no alert", name)
	}
}

// dashboard is what is looked at of a Grafana dashboard.
type dashboard struct {
	UID        string
	Title      string
	Templating struct {
		List []struct{ Name, Type string }
	}
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct{ Expr string }
	}
}

func TestDashboard(t *testing.T) {
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "grafana/dashboards/sluice.json")), &d); err != nil {
		t.Fatal(err)
	}
	variables := []string{"__rate_interval", "__all"}
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	used := map[string]bool{}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		if g := p.GridPos; g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s does not fit: %+v", p.Title, g)
		}
		for _, o := range d.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%s covers %s", p.Title, o.Title)
			}
		}
		if len(p.Targets) == 0 && p.Type != "row" {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(target.Expr, -1) {
				if !slices.Contains(variables, m[1]) {
					t.Errorf("%s: there is no variable $%s", p.Title, m[1])
				}
			}
			for _, name := range check(t, p.Title, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")) {
				used[name] = true
			}
		}
	}
	for name := range metrics(t) {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// targets are what Prometheus reads in the composition.
func targets(t *testing.T) []string {
	t.Helper()
	var c struct {
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string                       `json:"job_name"`
			StaticConfigs []struct{ Targets []string } `json:"static_configs"`
			Authorization struct {
				CredentialsFile string `json:"credentials_file"`
			}
		} `json:"scrape_configs"`
		Global json.RawMessage
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "compose/prometheus.yml")), &c); err != nil {
		t.Fatal(err)
	}
	p := composition(t).Services["prometheus"]
	mounted := map[string]bool{}
	for _, v := range p.Volumes {
		mounted[v.Target] = true
	}
	for _, name := range c.RuleFiles {
		if !mounted["/etc/prometheus/"+name] {
			t.Errorf("prometheus.yml: %s is not mounted", name)
		}
	}
	var out []string
	for _, s := range c.ScrapeConfigs {
		if s.JobName != "sluice" {
			t.Errorf("the alerts and the dashboard ask for the job sluice, not %s", s.JobName)
		}
		if len(p.Secrets) != 1 || s.Authorization.CredentialsFile != "/run/secrets/"+p.Secrets[0].Source {
			t.Errorf("the token at %s is not given to prometheus", s.Authorization.CredentialsFile)
		}
		for _, g := range s.StaticConfigs {
			out = append(out, g.Targets...)
		}
	}
	if want := []string{"sluice-1:8081", "sluice-2:8081"}; !slices.Equal(out, want) {
		t.Errorf("prometheus reads %v, want %v", out, want)
	}
	return out
}

// What Grafana is provisioned with is where it looks.
func TestGrafanaProvisioning(t *testing.T) {
	mounted := map[string]string{}
	for _, v := range composition(t).Services["grafana"].Volumes {
		mounted[v.Target] = v.Source
	}
	var providers struct {
		Providers []struct{ Options struct{ Path string } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "grafana/provisioning/dashboards/sluice.yml")), &providers); err != nil {
		t.Fatal(err)
	}
	for _, p := range providers.Providers {
		files, err := filepath.Glob(filepath.Join(mounted[p.Options.Path], "*.json"))
		if err != nil || len(files) == 0 {
			t.Errorf("there are no dashboards at %s (mounted: %v)", p.Options.Path, slices.Collect(maps.Keys(mounted)))
		}
	}
	var sources struct {
		Datasources []struct{ Type, URL string }
	}
	if err := yaml.Unmarshal([]byte(read(t, "grafana/provisioning/datasources/prometheus.yml")), &sources); err != nil {
		t.Fatal(err)
	}
	if len(sources.Datasources) != 1 || sources.Datasources[0].URL != "http://prometheus:9090" || sources.Datasources[0].Type != "prometheus" {
		t.Errorf("data sources: %+v", sources.Datasources)
	}
}
