//go:build !chaos

package fault

import "time"

// Point does nothing.
func Point(string) {}

// Now is the system's time.
func Now() time.Time { return time.Now() }
