package app

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sluicehq/sluice/plugins/host"
)

// lockSuffix is that of lock files. The configuration does not read them: it
// takes only files that end in yaml or yml.
const lockSuffix = ".lock"

// LockPath is the lock file of a configuration: beside its file, or in its
// directory.
func LockPath(configuration string) string {
	if info, err := os.Stat(configuration); err == nil && info.IsDir() {
		return filepath.Join(configuration, "sluice"+lockSuffix)
	}
	return strings.TrimSuffix(configuration, filepath.Ext(configuration)) + lockSuffix
}

// readLock is nil where there is no lock file.
func readLock(configuration string) (*host.Lock, error) {
	if configuration == "" {
		return nil, nil
	}
	return host.ReadLock(LockPath(configuration))
}
