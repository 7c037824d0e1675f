package deploy

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// root is the repository, which is the context of the image.
const root = ".."

// image is what the Dockerfile makes, without a container.
type image struct {
	build, final instructions.Stage
	out          string // what the build stage has at /out
}

// sluice is the program in the image.
func (i *image) sluice() string { return filepath.Join(i.out, "bin", "sluice") }

func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	list, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].Name != "build" {
		t.Fatalf("the Dockerfile has %d stages, the first is %q", len(list), list[0].Name)
	}
	return list
}

var (
	once  sync.Once
	built *image
	dir   string
)

func TestMain(m *testing.M) {
	code := m.Run()
	if dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// buildImage does what the build stage does, with nothing but what the context
// holds. It does so once for all tests.
func buildImage(t *testing.T) *image {
	t.Helper()
	once.Do(func() {
		var err error
		if dir, err = os.MkdirTemp("", "sluice-image-"); err != nil {
			t.Fatal(err)
		}
		src := filepath.Join(dir, "src")
		copyContext(t, src)
		list := stages(t)
		got := &image{build: list[0], final: list[1], out: filepath.Join(dir, "out")}
		if err := os.Mkdir(got.out, 0o755); err != nil {
			t.Fatal(err)
		}
		env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "MAKE") || strings.HasPrefix(e, "MFLAGS") })
		runs := 0
		for _, c := range list[0].Commands {
			switch c := c.(type) {
			case *instructions.ArgCommand:
				for _, a := range c.Args {
					value := a.ValueString()
					if a.Key == "OUT" {
						value = got.out
					}
					env = append(env, a.Key+"="+value)
				}
			case *instructions.RunCommand:
				runs++
				line := strings.Join(c.CmdLine, " ")
				cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
				cmd.Dir, cmd.Env = src, env
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("RUN %s: %v\n%s", line, err, out)
				}
			}
		}
		if runs == 0 {
			t.Fatal("the build stage runs nothing")
		}
		built = got
	})
	if built == nil {
		t.Fatal("the image could not be built")
	}
	return built
}

// copyContext copies what .dockerignore leaves of the repository.
func copyContext(t *testing.T, to string) {
	t.Helper()
	f, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil || rel == "." {
			return err
		}
		ignored, err := ignore.MatchesOrParentMatches(rel)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if ignored && !strings.Contains(rel, string(filepath.Separator)) {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if ignored || !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImage(t *testing.T) {
	i := buildImage(t)
	paths := map[string]string{} // in the image → what is there
	user, volume, entrypoint, command := "", "", []string(nil), []string(nil)
	for _, c := range i.final.Commands {
		switch c := c.(type) {
		case *instructions.CopyCommand:
			if c.From != i.build.Name {
				t.Errorf("%s: there is no stage %q", c, c.From)
			}
			for _, source := range c.SourcePaths {
				from := filepath.Join(i.out, strings.TrimPrefix(source, "/out"))
				if _, err := os.Stat(from); err != nil || !strings.HasPrefix(source, "/out/") {
					t.Errorf("%s: %v", c, err)
				}
				paths[c.DestPath] = from
			}
		case *instructions.UserCommand:
			user = c.User
		case *instructions.VolumeCommand:
			volume = c.Volumes[0]
		case *instructions.EntrypointCommand:
			entrypoint = c.CmdLine
		case *instructions.CmdCommand:
			command = c.CmdLine
		case *instructions.RunCommand:
			t.Errorf("%s: the image has no shell to run it", c)
		}
	}
	if user != "65532:65532" {
		t.Errorf("the user is %q; by number, so that Kubernetes sees that it is not root", user)
	}
	if paths[volume] == "" {
		t.Errorf("nothing is copied to the volume %q: it would belong to root", volume)
	}
	if len(entrypoint) != 1 || paths[path.Dir(entrypoint[0])] == "" || filepath.Join(paths[path.Dir(entrypoint[0])], path.Base(entrypoint[0])) != i.sluice() {
		t.Errorf("the entrypoint %q is not the sluice that was built", entrypoint)
	}
	accepts(t, command)
	// The slim build: nothing of the Temporal server in it.
	out := output(t, exec.CommandContext(t.Context(), "go", "version", "-m", i.sluice()))
	if !strings.Contains(out, "-tags=slim") || strings.Contains(out, "go.temporal.io/server") {
		t.Errorf("this is not the slim build:\n%s", out)
	}
	plugins := output(t, exec.CommandContext(t.Context(), i.sluice(), "plugins", "list", "-c", minimal(t)))
	folders, err := filepath.Glob(filepath.Join(root, "plugins", "*", "main.go"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("%d plugins, %v", len(folders), err)
	}
	for _, main := range folders {
		// A module of its own needs cgo, and its plugin a C library that the image has not.
		if _, err := os.Stat(filepath.Join(filepath.Dir(main), "go.mod")); err == nil {
			continue
		}
		if name := filepath.Base(filepath.Dir(main)); !strings.Contains(plugins, name) {
			t.Errorf("the image has no plugin %s:\n%s", name, plugins)
		}
	}
}

// The same source gives the same bytes, wherever it lies.
func TestBuildsAreReproducible(t *testing.T) {
	i := buildImage(t)
	again := filepath.Join(t.TempDir(), "in another folder")
	copyContext(t, filepath.Join(again, "of another name"))
	cmd := exec.CommandContext(t.Context(), "make", "build", "TAGS=slim", "CGO_PLUGINS=", "VERSION=devel", "BIN="+filepath.Join(t.TempDir(), "bin"))
	cmd.Dir = filepath.Join(again, "of another name")
	bin := strings.TrimPrefix(cmd.Args[len(cmd.Args)-1], "BIN=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, second := sums(t, filepath.Join(i.out, "bin")), sums(t, bin)
	if len(first) < 2 || len(first) != len(second) {
		t.Fatalf("%d and %d binaries", len(first), len(second))
	}
	for name, sum := range first {
		if second[name] != sum {
			t.Errorf("%s differs", name)
		}
	}
}

func sums(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	out := map[string][sha256.Size]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		out[rel] = sha256.Sum256(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}

// accepts reports whether sluice takes the arguments: every flag is known.
func accepts(t *testing.T, args []string) {
	t.Helper()
	if len(args) == 0 {
		t.Error("sluice is called without arguments")
		return
	}
	cmd := exec.CommandContext(t.Context(), buildImage(t).sluice(), append(slices.Clone(args), "--help")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sluice %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// validates reports whether sluice takes the configuration, with the plugins of
// the image and these variables only.
func validates(t *testing.T, what string, config []byte, env []string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(name, config, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), buildImage(t).sluice(), "validate", "-c", name)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("warning")) {
		t.Errorf("%s: %v\n%s", what, err, out)
	}
}

func minimal(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(name, []byte("sources: {rootfi: {type: rootfi, auth: none}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
