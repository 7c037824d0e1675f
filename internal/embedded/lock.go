//go:build !slim

package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const lockFile = "temporal.lock"

// lockDir makes sure that one server at a time uses the files. The kernel
// drops the lock when the process dies, however it dies.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("temporal: data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s: stop the other Sluice or choose another data_dir", ErrInUse, dir)
		}
		return nil, fmt.Errorf("temporal: lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// ErrInUse says that another server holds the data directory.
var ErrInUse = errors.New("temporal: data directory is in use by another embedded server")
