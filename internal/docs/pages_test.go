package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// page is a Markdown file.
type page struct {
	path   string // from the root, with slashes
	text   string
	prose  string // the text without fenced blocks
	blocks []block
}

// block is a fenced block.
type block struct {
	language string
	text     string
	line     int // of its first line
}

// skipped are directories that hold nothing of ours, or nothing for users.
var skipped = map[string]bool{".git": true, "bin": true, "demo": true, "data": true, "out": true, "testdata": true, "node_modules": true}

// pages returns every Markdown file of the repository.
func pages(t *testing.T) []page {
	t.Helper()
	var out []page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && skipped[d.Name()] {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out = append(out, parse(filepath.ToSlash(name), string(text)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d pages found", len(out))
	}
	return out
}

func pageAt(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return parse(path, string(text))
}

var fence = regexp.MustCompile("^( *)```(.*)$")

func parse(path, text string) page {
	p := page{path: path, text: text}
	var prose []string
	var open *block
	indent := ""
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && open == nil:
			open, indent = &block{language: strings.TrimSpace(m[2]), line: i + 2}, m[1]
		case m != nil:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		default:
			prose = append(prose, line)
		}
	}
	p.prose = strings.Join(prose, "\n")
	return p
}

// source returns the Go code under a folder, without tests.
func source(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
