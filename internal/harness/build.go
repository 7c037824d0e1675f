package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build builds sluice, and the plugins in a folder beside it, from the sources in
// root into dir, and returns the path of sluice. It uses the flags of the
// Makefile, so that the Temporal server is not compiled again. The tags are part of
// the version that it reports. Plugins that are modules of their own are left out:
// see [BuildModule].
func Build(ctx context.Context, root, dir string, tags ...string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	mains, err := filepath.Glob(filepath.Join(root, "plugins", "*", "main.go"))
	if err != nil || len(mains) == 0 {
		return "", fmt.Errorf("there are no plugins to build in %s: %w", root, errors.Join(err, os.ErrNotExist))
	}
	sluice := filepath.Join(dir, "sluice")
	targets := map[string]string{sluice: "./cmd/sluice"}
	for _, main := range mains {
		name := filepath.Base(filepath.Dir(main))
		if _, err := os.Stat(filepath.Join(filepath.Dir(main), "go.mod")); err == nil {
			continue
		}
		targets[filepath.Join(dir, "plugins", "sluice-destination-"+name)] = "./plugins/" + name
	}
	var errs []error
	for out, pkg := range targets {
		errs = append(errs, build(ctx, root, out, pkg, tags...))
	}
	return sluice, errors.Join(errs...)
}

func build(ctx context.Context, root, out, pkg string, tags ...string) error {
	version := strings.Join(append([]string{"harness"}, tags...), "-")
	c := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(tags, ","), "-ldflags", "-s -w -X main.version="+version, "-o", out, pkg)
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
	}
	return nil
}

// BuildModule builds a package of a module of its own, in dir, into the file out.
// It uses cgo, for which such plugins are modules of their own.
func BuildModule(ctx context.Context, dir, pkg, out string) error {
	c := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", out, pkg)
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-trimpath")
	if text, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s in %s: %w\n%s", pkg, dir, err, text)
	}
	return nil
}
