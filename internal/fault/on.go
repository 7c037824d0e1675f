//go:build chaos

package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var crash = sync.OnceValue(func() (c struct {
	point string
	at    int64
}) {
	point, n, ok := strings.Cut(os.Getenv(EnvCrash), ":")
	if !ok {
		return c
	}
	at, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		panic(EnvCrash + ": want POINT:N")
	}
	c.point, c.at = point, at
	return c
})

var passed atomic.Int64

// Point kills the process if this is the passage that was asked for.
func Point(name string) {
	c := crash()
	if c.point != name || passed.Add(1) != c.at {
		return
	}
	fmt.Fprintln(os.Stderr, "chaos: killed at", name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // nothing more happens on this way
}

// clock is by how many seconds the clock is off, read again after a while.
var clock struct {
	sync.Mutex
	read time.Time
	off  int64
}

const readEvery = 50 * time.Millisecond

func offset() int64 {
	file := os.Getenv(EnvClock)
	if file == "" {
		return 0
	}
	clock.Lock()
	defer clock.Unlock()
	if now := time.Now(); now.Sub(clock.read) > readEvery {
		clock.read = now
		// While it is written it is empty for a moment: then the last one holds.
		if b, err := os.ReadFile(file); err == nil {
			if n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil {
				clock.off = n
			}
		}
	}
	return clock.off
}

// Now is the time of a clock that may have jumped: as with a real one, moments
// jump and the time between two readings does not.
func Now() time.Time { return jumped(time.Now(), offset()) }

// jumped moves the wall clock's part of a reading and leaves its monotonic part,
// which [time.Time.Add] would move as well.
func jumped(t time.Time, seconds int64) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t))
	if *wall>>63 == 0 {
		return t.Add(time.Duration(seconds) * time.Second) // it has no monotonic part
	}
	// 1 bit, 33 bits of seconds since 1885, 30 bits of nanoseconds.
	*wall += uint64(seconds) << 30
	return t
}
