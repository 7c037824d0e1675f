package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/tufanbarisyildirim/gonginx/parser"
)

// composition loads docker-compose.yml with the variables of env.example.
func composition(t *testing.T) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnvFiles(filepath.Join("compose", "env.example")), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposition(t *testing.T) {
	p := composition(t)
	for _, want := range []string{"sluice-1", "sluice-2", "loadbalancer", "postgres", "temporal", "temporal-postgres", "temporal-ui", "prometheus", "grafana"} {
		if _, ok := p.Services[want]; !ok {
			t.Errorf("there is no service %s", want)
		}
	}
	for name, s := range p.Services {
		if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" || tag == "" {
			t.Errorf("%s: the image %s has no fixed version", name, s.Image)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" && name != "loadbalancer" {
				t.Errorf("%s: port %s is open to everybody", name, port.Published)
			}
		}
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if !v.ReadOnly {
					t.Errorf("%s: %s can be written to", name, v.Target)
				}
			case types.VolumeTypeVolume:
				if _, ok := p.Volumes[v.Source]; !ok {
					t.Errorf("%s: there is no volume %s", name, v.Source)
				}
			}
		}
		for other, d := range s.DependsOn {
			needed, ok := p.Services[other]
			switch {
			case !ok:
				t.Errorf("%s: there is no service %s", name, other)
			case d.Condition == types.ServiceConditionHealthy && needed.HealthCheck == nil:
				t.Errorf("%s waits for %s to be healthy, which has no check", name, other)
			case d.Condition == types.ServiceConditionCompletedSuccessfully && needed.Restart == types.RestartPolicyUnlessStopped:
				t.Errorf("%s waits for the end of %s, which is started again", name, other)
			}
		}
	}
}

func TestComposedSluice(t *testing.T) {
	p := composition(t)
	instances := 0
	for name, s := range p.Services {
		if s.Build == nil {
			continue
		}
		instances++
		args := []string(s.Command)
		if len(args) == 0 {
			args = defaultCommand(t)
		}
		accepts(t, args)
		if check := s.HealthCheck; !check.Disable {
			if len(check.Test) < 3 || check.Test[0] != "CMD" {
				t.Errorf("%s: the image has no shell for %v", name, check.Test)
			} else {
				accepts(t, check.Test[2:])
			}
		}
		config := ""
		for _, v := range s.Volumes {
			if v.Target == "/etc/sluice/sluice.yaml" {
				config = v.Source
			}
		}
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var env []string
		for key, value := range s.Environment {
			if value == nil {
				t.Fatalf("%s: %s has no value", name, key)
			}
			env = append(env, key+"="+*value)
		}
		validates(t, name, text, env)
		if s.StopGracePeriod == nil || s.StopGracePeriod.String() < "1m" {
			t.Errorf("%s: a stop is cut off after %v", name, s.StopGracePeriod)
		}
	}
	if instances < 3 {
		t.Errorf("only %d services run sluice", instances)
	}
}

// defaultCommand is the image's.
func defaultCommand(t *testing.T) []string {
	t.Helper()
	commands := stages(t)[1].Commands
	i := slices.IndexFunc(commands, func(c instructions.Command) bool { _, ok := c.(*instructions.CmdCommand); return ok })
	if i < 0 {
		t.Fatal("the image has no command")
	}
	return commands[i].(*instructions.CmdCommand).CmdLine
}

// Addresses in the files that are mounted are services, at ports where they listen.
func TestComposedAddresses(t *testing.T) {
	p := composition(t)
	// The parser refuses directives that nginx does not know.
	nginx, err := parser.NewParser(filepath.Join("compose", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := nginx.Parse()
	if err != nil {
		t.Fatalf("nginx.conf: %v", err)
	}
	var servers []string
	for _, upstream := range parsed.FindUpstreams() {
		for _, server := range upstream.UpstreamServers {
			servers = append(servers, server.Address)
		}
	}
	if want := []string{"sluice-1:8080", "sluice-2:8080"}; !slices.Equal(servers, want) {
		t.Errorf("the load balancer has %v, want %v", servers, want)
	}
	for _, address := range append(servers, targets(t)...) {
		name, _, _ := strings.Cut(address, ":")
		if _, ok := p.Services[name]; !ok {
			t.Errorf("there is no service for %s", address)
		}
	}
}
