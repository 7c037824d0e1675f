package demo

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// SQLiteTable is the name of a data model's table in a SQLite warehouse.
func SQLiteTable(model string) string { return `"` + strings.ToLower(model) + `"` }

// countLines counts the lines of all files of an audit trail. A file that does
// not end with a line is an error of the trail and counts as none.
func countLines(dir string) (int, error) {
	lines := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".jsonl") {
			return err
		}
		b, err := os.ReadFile(path)
		lines += bytes.Count(b, []byte("\n"))
		return err
	})
	return lines, err
}
