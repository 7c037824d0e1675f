package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// command is a node of the command line.
type command struct {
	sub   map[string]*command
	flags map[string]bool
}

func TestCommandsExist(t *testing.T) {
	top := tree(t, binary(t))
	lines := 0
	for _, p := range pages(t) {
		for _, line := range commandLines(p) {
			lines++
			if problem := top.judge(line); problem != "" {
				t.Errorf("%s: sluice %s: %s", p.path, strings.Join(line, " "), problem)
			}
		}
	}
	if lines < 10 {
		t.Errorf("only %d command lines found", lines)
	}
}

// binary returns a sluice of this source: the one that make built if nothing is
// newer, else a new one. It is run and not linked, since it holds a whole Temporal.
func binary(t *testing.T) string {
	t.Helper()
	built := filepath.Join(root, "bin", "sluice")
	if info, err := os.Stat(built); err == nil {
		files, err := filepath.Glob(filepath.Join(root, "cmd", "sluice", "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		current := true
		for _, name := range files {
			source, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			current = current && !source.ModTime().After(info.ModTime())
		}
		if current {
			return built
		}
	}
	path := filepath.Join(t.TempDir(), "sluice")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/sluice")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath") // as make does: all of it is in the cache
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build sluice: %v\n%s", err, out)
	}
	return path
}

var (
	available = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) +\S`)
	flagName  = regexp.MustCompile(`(?m)^ +(?:-([a-z]), )?--([a-z-]+)`)
)

// tree asks a binary for the help of each of its commands.
func tree(t *testing.T, binary string, path ...string) *command {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, append(path, "--help")...).Output()
	if err != nil {
		t.Fatalf("sluice %s --help: %v", strings.Join(path, " "), err)
	}
	help := string(out)
	c := &command{sub: make(map[string]*command), flags: make(map[string]bool)}
	for _, m := range flagName.FindAllStringSubmatch(help, -1) {
		c.flags["-"+m[1]], c.flags["--"+m[2]] = true, true
	}
	if _, list, ok := strings.Cut(help, "Available Commands:\n"); ok {
		list, _, _ = strings.Cut(list, "\n\n")
		for _, m := range available.FindAllStringSubmatch(list, -1) {
			if m[1] == "help" || m[1] == "completion" { // made by the library
				c.sub[m[1]] = &command{}
				continue
			}
			c.sub[m[1]] = tree(t, binary, append(append([]string{}, path...), m[1])...)
		}
	}
	return c
}

// judge says what is wrong with the words after sluice.
func (c *command) judge(words []string) string {
	for len(words) > 0 && len(c.sub) > 0 && !strings.HasPrefix(words[0], "-") {
		next, ok := c.sub[words[0]]
		if !ok {
			return "there is no command " + words[0]
		}
		c, words = next, words[1:]
	}
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		if strings.HasPrefix(name, "-") && !c.flags[name] {
			return "there is no flag " + name
		}
	}
	return ""
}

var (
	span    = regexp.MustCompile("`(?:bin/)?sluice ([^`]+)`")
	inShell = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*(?:\./)?(?:bin/|/\S+/)?sluice (.+)$`)
)

// commandLines returns what a page lets sluice do, in text and in shell blocks.
func commandLines(p page) [][]string {
	var out [][]string
	for _, m := range span.FindAllStringSubmatch(p.prose, -1) {
		out = append(out, words(m[1]))
	}
	for _, b := range p.blocks {
		if b.language != "sh" {
			continue
		}
		for _, line := range strings.Split(b.text, "\n") {
			if m := inShell.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				out = append(out, words(m[1]))
			}
		}
	}
	return out
}

var quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// words splits a line; what is quoted is one word.
func words(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	return strings.Fields(quoted.ReplaceAllString(line, "quoted"))
}
