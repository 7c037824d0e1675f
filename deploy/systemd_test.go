package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

func TestUnit(t *testing.T) {
	text := read(t, "systemd/sluice.service")
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range options {
		if got[o.Name] != "" && o.Name != "Documentation" {
			t.Errorf("%s is there twice", o.Name)
		}
		got[o.Name] = o.Value
	}
	command := strings.Fields(got["ExecStart"])
	if len(command) < 2 || command[0] != "/opt/sluice/bin/sluice" {
		t.Fatalf("it starts %q", command)
	}
	accepts(t, command[1:])
	for name, want := range map[string]string{
		"User": "sluice", "NoNewPrivileges": "true", "ProtectSystem": "strict", "ReadWritePaths": got["WorkingDirectory"], "WantedBy": "multi-user.target",
	} {
		if got[name] != want {
			t.Errorf("%s=%s, want %s", name, got[name], want)
		}
	}
	// systemd itself knows more, where it is. It wants to see the program.
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not here: the names of the settings are not checked")
		return
	}
	file := filepath.Join(t.TempDir(), "sluice.service")
	text = strings.Replace(text, command[0], buildImage(t).sluice(), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := output(t, exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file)); out != "" {
		t.Error(out)
	}
}
