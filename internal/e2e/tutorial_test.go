package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/proc"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The commands of docs/first-plugin.md, in their order, as somebody would type
// them who has only that page. Only the ports are others.
func TestTutorial(t *testing.T) {
	page, err := os.ReadFile("../../docs/first-plugin.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sluice := binary(t)
	dir := t.TempDir()
	if err := os.Symlink(root, filepath.Join(dir, "sluice")); err != nil {
		t.Fatal(err)
	}
	fixed := []string{"127.0.0.1:9093", "127.0.0.1:8080", "127.0.0.1:8081"}
	free, err := proc.FreePorts(len(fixed))
	if err != nil {
		t.Fatal(err)
	}
	var swap []string
	for i := range fixed {
		swap = append(swap, fixed[i], free[i])
	}
	ports := strings.NewReplacer(swap...)

	// The files that the scaffold wrote have the same ports, and the Temporal of a
	// test takes any.
	other := "sed -i"
	for i := range fixed {
		other += fmt.Sprintf(" -e s/%s/%s/g", fixed[i], free[i])
	}
	other += " conformance.yaml sluice.yaml\n" +
		"printf '\\ntemporal: {embedded: {listen: 127.0.0.1:0, ui: 127.0.0.1:0}}\\n' >> sluice.yaml\n"

	var script strings.Builder
	script.WriteString("set -eux\n")
	blocks := shellBlock.FindAllStringSubmatch(string(page), -1)
	for i, b := range blocks {
		script.WriteString(ports.Replace(b[1]))
		if i == 0 {
			script.WriteString(other)
		}
	}
	// Until every record is there: the page says "a moment later".
	list := "curl -s -H 'Authorization: Bearer sandbox-token' http://" + free[0] + "/tutorial/"
	fmt.Fprintf(&script, "for i in $(seq 120); do %s > documents.json; [ $(grep -o _version documents.json | wc -l) -ge 60 ] && break; sleep 0.5; done\n", list)
	script.WriteString("sluice dead-letters list -o json > dead.json\nkill $(jobs -p)\nwait || true\n")
	if len(blocks) < 6 {
		t.Fatalf("the page has only %d blocks of commands", len(blocks))
	}

	cmd := exec.CommandContext(t.Context(), "bash", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(sluice)+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// A command that fails leaves the servers of the page behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	began := time.Now()
	err = cmd.Run()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	t.Logf("took %v", time.Since(began).Round(time.Second))

	home := filepath.Join(dir, "sluice-destination-notes")
	text, err := os.ReadFile(filepath.Join(home, "documents.json"))
	if err != nil {
		t.Fatal(err)
	}
	var documents []struct {
		Key    map[string]string          `json:"key"`
		Fields map[string]json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(text, &documents); err != nil || len(documents) < 60 {
		t.Errorf("%d documents, %v\n%s", len(documents), err, out.String())
	}
	for _, d := range documents {
		if d.Key["_platform_id"] == "" || len(d.Fields) == 0 {
			t.Errorf("a document has the key %v and %d fields", d.Key, len(d.Fields))
		}
	}
	if dead, err := os.ReadFile(filepath.Join(home, "dead.json")); err != nil || strings.Contains(string(dead), "notes") {
		t.Errorf("dead letters: %s, %v", dead, err)
	}
	for _, want := range []string{"0 failed, 0 not observed", "did you mean prefix?"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
