package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Fingerprint changes when one of the files does: when it is written, replaced,
// removed, or when a link on the way to it leads elsewhere. Of a directory it is
// that of the configuration files in it. No content is read. Of several files it
// is that of each, one after another.
func Fingerprint(paths ...string) string {
	out := ""
	for _, path := range paths {
		out += fingerprint(path)
	}
	return out
}

func fingerprint(path string) string {
	h := sha256.New()
	add := func(path string) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			fmt.Fprintf(h, "%s: %v\n", path, cause(err))
			return
		}
		info, err := os.Stat(real)
		if err != nil {
			fmt.Fprintf(h, "%s: %v\n", path, cause(err))
			return
		}
		fmt.Fprintf(h, "%s %s %d %d %v\n", path, real, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		add(path)
		return hex.EncodeToString(h.Sum(nil)[:16])
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		fmt.Fprintf(h, "%s: %v\n", path, cause(err))
	}
	for _, e := range entries {
		if IsConfigName(e.Name()) {
			add(filepath.Join(path, e.Name()))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
