package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/plugins/destination"
)

const lockName = sideFolder + "/lock"

// lockPatience is how long a start waits for the process before it, which may
// still be finishing its last write.
const lockPatience = 10 * time.Second

// errLocked says that another process has the directory.
var errLocked = errors.New("locked")

// lock makes this process the only writer of the directory. The kernel gives the
// lock back when the process ends, however it ends.
func lock(ctx context.Context, root *os.Root, patience time.Duration) (*os.File, error) {
	if err := root.MkdirAll(sideFolder, 0o750); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); ; {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", lockName, err), f.Close())
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(lockedBy(f), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
	// The number is only for the message that another process shows.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return f, nil
}

func lockedBy(f *os.File) error {
	holder := "another process"
	if b, err := io.ReadAll(io.NewSectionReader(f, 0, 32)); err == nil && len(b) > 0 {
		holder = "process " + strings.TrimSpace(string(b))
	}
	return &destination.Failure{
		Kind: destination.Misconfigured,
		Code: "LOCKED",
		Err:  fmt.Errorf("the directory is %w by %s: give each destination a path of its own, or stop the other one", errLocked, holder),
	}
}
