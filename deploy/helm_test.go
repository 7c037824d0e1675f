package deploy

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// release is what the chart makes of a set of values.
type release struct {
	deployments []appsv1.Deployment
	services    []corev1.Service
	configs     []corev1.ConfigMap
	ingresses   []networkingv1.Ingress
	budgets     []policyv1.PodDisruptionBudget
	jobs        []batchv1.Job
	monitors    []map[string]any
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir("helm/sluice")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func values(t *testing.T, text string) chartutil.Values {
	t.Helper()
	v, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// render returns the manifests, or the error of the schema or of a template.
func render(t *testing.T, v chartutil.Values) (map[string]string, error) {
	t.Helper()
	c := loadChart(t)
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "books", Namespace: "finance", Revision: 1, IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	e := engine.Engine{Strict: true}
	return e.Render(c, all)
}

// decode reads the manifests strictly into the types of Kubernetes: an unknown or
// misplaced field is an error.
func decode(t *testing.T, manifests map[string]string) release {
	t.Helper()
	var r release
	for _, file := range slices.Sorted(maps.Keys(manifests)) {
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		for _, doc := range strings.Split("\n"+manifests[file], "\n---\n") {
			var kind metav1.TypeMeta
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatalf("%s: %v\n%s", file, err, doc)
			}
			var into any
			switch kind.APIVersion + " " + kind.Kind {
			case " ":
				continue
			case "apps/v1 Deployment":
				into = next(&r.deployments)
			case "v1 Service":
				into = next(&r.services)
			case "v1 ConfigMap":
				into = next(&r.configs)
			case "networking.k8s.io/v1 Ingress":
				into = next(&r.ingresses)
			case "policy/v1 PodDisruptionBudget":
				into = next(&r.budgets)
			case "batch/v1 Job":
				into = next(&r.jobs)
			case "monitoring.coreos.com/v1 ServiceMonitor":
				into = next(&r.monitors)
			default:
				t.Fatalf("%s: %s %s is not expected", file, kind.APIVersion, kind.Kind)
			}
			if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
				t.Errorf("%s: %v\n%s", file, err, doc)
			}
		}
	}
	return r
}

// next appends an empty element and returns it.
func next[T any](list *[]T) *T {
	*list = append(*list, *new(T))
	return &(*list)[len(*list)-1]
}

func TestChart(t *testing.T) {
	for name, want := range map[string]struct {
		deployments map[string][]string // arguments after those of all
		budgets     int
		ingresses   int
		monitors    int
		endpoints   int // deployments that take webhooks
	}{
		"minimal":    {deployments: map[string][]string{"books-sluice-sluice": nil}, budgets: 1, endpoints: 1},
		"everything": {deployments: map[string][]string{"books-sluice-sluice": nil}, budgets: 1, ingresses: 1, monitors: 1, endpoints: 1},
		"split": {deployments: map[string][]string{
			"books-sluice-endpoint":   {"--roles=endpoint"},
			"books-sluice-dispatcher": {"--roles=dispatcher"},
			"books-sluice-warehouse":  {"--roles=worker", "--destinations=warehouse"},
			"books-sluice-others":     {"--roles=worker", "--destinations=crm"},
		}, budgets: 3, endpoints: 1},
	} {
		t.Run(name, func(t *testing.T) {
			manifests, err := render(t, values(t, read(t, "helm/sluice/ci/"+name+"-values.yaml")))
			if err != nil {
				t.Fatal(err)
			}
			r := decode(t, manifests)
			if len(r.deployments) != len(want.deployments) || len(r.budgets) != want.budgets || len(r.ingresses) != want.ingresses ||
				len(r.monitors) != want.monitors || len(r.jobs) != 1 || len(r.configs) != 1 || len(r.services) != 2 {
				t.Fatalf("%d deployments, %d budgets, %d ingresses, %d monitors, %d jobs, %d configurations, %d services",
					len(r.deployments), len(r.budgets), len(r.ingresses), len(r.monitors), len(r.jobs), len(r.configs), len(r.services))
			}
			config := r.configs[0].Data["sluice.yaml"]
			validates(t, name, []byte(config), []string{
				"ROOTFI_WEBHOOK_KEY=key", "SLUICE_ADMIN_TOKEN=token", "TOKEN=token",
				"LEDGER_URL=postgres://sluice:password@postgres:5432/ledger", "WAREHOUSE_URL=postgres://sluice:password@postgres:5432/warehouse",
			})
			for _, d := range r.deployments {
				args, ok := want.deployments[d.Name]
				if !ok {
					t.Errorf("deployment %s is not expected", d.Name)
				}
				if got := d.Spec.Template.Spec.Containers[0].Args; !slices.Equal(got, append([]string{"serve", "-c", "/etc/sluice/sluice.yaml"}, args...)) {
					t.Errorf("%s: arguments %q", d.Name, got)
				}
				checkPod(t, d.Name, d.Spec.Template.Spec)
				if !selects(d.Spec.Selector.MatchLabels, d.Spec.Template.Labels) {
					t.Errorf("%s does not select its own pods", d.Name)
				}
				for _, o := range r.deployments {
					if o.Name != d.Name && selects(d.Spec.Selector.MatchLabels, o.Spec.Template.Labels) {
						t.Errorf("%s selects the pods of %s", d.Name, o.Name)
					}
				}
			}
			checkPod(t, "setup", r.jobs[0].Spec.Template.Spec)
			accepts(t, r.jobs[0].Spec.Template.Spec.Containers[0].Args)
			for _, s := range r.services {
				reached := 0
				for _, d := range r.deployments {
					if !selects(s.Spec.Selector, d.Spec.Template.Labels) {
						continue
					}
					reached++
					if !slices.ContainsFunc(d.Spec.Template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
						return p.Name == s.Spec.Ports[0].TargetPort.String()
					}) {
						t.Errorf("service %s: %s has no port %s", s.Name, d.Name, s.Spec.Ports[0].TargetPort.String())
					}
				}
				expected := want.endpoints
				if strings.HasSuffix(s.Name, "-admin") {
					expected = len(r.deployments)
					if s.Spec.Type != corev1.ServiceTypeClusterIP {
						t.Errorf("the admin API is open to the outside: %s", s.Spec.Type)
					}
				}
				if reached != expected {
					t.Errorf("service %s reaches %d deployments, want %d", s.Name, reached, expected)
				}
				if selects(s.Spec.Selector, r.jobs[0].Spec.Template.Labels) {
					t.Errorf("service %s sends requests to the setup job", s.Name)
				}
			}
			for _, b := range r.budgets {
				if !slices.ContainsFunc(r.deployments, func(d appsv1.Deployment) bool {
					return d.Name == b.Name && selects(b.Spec.Selector.MatchLabels, d.Spec.Template.Labels) && *d.Spec.Replicas > 1
				}) {
					t.Errorf("the budget %s belongs to no deployment that can spare a pod", b.Name)
				}
			}
			for _, i := range r.ingresses {
				backend := i.Spec.Rules[0].HTTP.Paths[0].Backend.Service
				if !slices.ContainsFunc(r.services, func(s corev1.Service) bool {
					return s.Name == backend.Name && s.Spec.Ports[0].Name == backend.Port.Name && !strings.HasSuffix(s.Name, "-admin")
				}) {
					t.Errorf("the ingress leads to %s %s", backend.Name, backend.Port.Name)
				}
			}
		})
	}
}

func selects(selector, of map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

// checkPod looks at what keeps a pod in its place, and whether it can be run.
func checkPod(t *testing.T, name string, p corev1.PodSpec) {
	t.Helper()
	c := p.Containers[0]
	accepts(t, c.Args)
	if p.SecurityContext == nil || !*p.SecurityContext.RunAsNonRoot || *p.SecurityContext.RunAsUser == 0 || p.SecurityContext.SeccompProfile == nil {
		t.Errorf("%s: security context %+v", name, p.SecurityContext)
	}
	if s := c.SecurityContext; s == nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("%s: security context of the container %+v", name, s)
	}
	if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
		t.Errorf("%s has a token of Kubernetes, which Sluice does not need", name)
	}
	volumes := map[string]bool{}
	for _, v := range p.Volumes {
		volumes[v.Name] = true
	}
	places := map[string]bool{}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("%s: there is no volume %s", name, m.Name)
		}
		places[m.MountPath] = true
	}
	for _, want := range []string{"/etc/sluice/sluice.yaml", "/var/lib/sluice", "/tmp"} {
		if !places[want] {
			t.Errorf("%s: nothing is mounted at %s", name, want)
		}
	}
	if name == "setup" {
		return
	}
	ports := map[string]int32{}
	for _, port := range c.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for what, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet.Path != what || ports[probe.HTTPGet.Port.String()] == 0 {
			t.Errorf("%s: the probe of %s is %+v", name, what, probe)
		}
	}
	if grace := p.TerminationGracePeriodSeconds; grace == nil || *grace <= 60+c.Lifecycle.PreStop.Sleep.Seconds {
		t.Errorf("%s: a stop is cut off", name)
	}
}

func TestChartRefuses(t *testing.T) {
	base := read(t, "helm/sluice/ci/minimal-values.yaml")
	for name, tt := range map[string]struct{ change, want string }{
		"no values at all":     {"\n", "secret"},
		"no cluster":           {strings.Replace(base, "temporal-frontend.temporal:7233", `""`, 1), "address"},
		"a ledger on SQLite":   {strings.Replace(base, "config:\n", "config:\n  ledger: {postgres: null}\n", 1), "postgres"},
		"an unknown role":      {base + "components: {sluice: {replicas: 1, roles: [mailer]}}\n", "roles"},
		"an unknown value":     {base + "replicas: 3\n", "replicas"},
		"no number of pods":    {base + "components: {sluice: {replicas: many}}\n", "replicas"},
		"ingress without host": {base + "ingress: {enabled: true}\n", "host"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := render(t, values(t, tt.change)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error about %s", err, tt.want)
			}
		})
	}
}
