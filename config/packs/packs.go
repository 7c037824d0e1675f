// Package packs holds the ready-made mappings, one file each. It gives out their
// text; what it means is in package config.
package packs

import (
	"embed"
	"path"
	"strings"
)

//go:embed */*.yaml
var files embed.FS

// All returns the text of every pack by its name: folder/file.
func All() map[string][]byte {
	out := make(map[string][]byte)
	entries, _ := files.ReadDir(".")
	for _, dir := range entries {
		inner, _ := files.ReadDir(dir.Name())
		for _, f := range inner {
			data, _ := files.ReadFile(path.Join(dir.Name(), f.Name()))
			out[path.Join(dir.Name(), strings.TrimSuffix(f.Name(), ".yaml"))] = data
		}
	}
	return out
}
