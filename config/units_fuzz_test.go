package config

import (
	"net"
	"testing"
	"time"
)

// FuzzUnits reads any text as a duration, a size, a number and an address: no
// panic, nothing negative that was not written so, and what is written out is
// read back as the same.
func FuzzUnits(f *testing.F) {
	for _, seed := range []string{"30s", "1d12h", "-1.5d", "106751d23h47m", "32MiB", "10 MB", "9223372036854775807", "0x10", "1e3", "1_000", "[::1]:80", ":0", "host:port"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseDuration(s); err == nil {
			if d < 0 && s[0] != '-' {
				t.Errorf("%q is %s", s, d)
			}
			if back, err := parseDuration(formatDuration(d)); err != nil || back != d {
				t.Errorf("%q is %s, and that is %s, %v", s, d, back, err)
			}
			if plain, err := time.ParseDuration(s); err == nil && plain != d {
				t.Errorf("%q is %s, Go says %s", s, d, plain)
			}
		}
		if n, err := parseSize(s); err == nil {
			if back, err := parseSize(formatSize(n)); n < 0 || err != nil || back != n {
				t.Errorf("%q is %d, and %q is %d, %v", s, n, formatSize(n), back, err)
			}
		}
		if n, err := parseWhole(s); err == nil && n < 0 && s[0] != '-' {
			t.Errorf("%q is %d", s, n)
		}
		_, _ = parseNumber(s)
		if checkAddress(s) == nil {
			if _, _, err := net.SplitHostPort(s); err != nil {
				t.Errorf("%q is taken for an address: %v", s, err)
			}
		}
		_ = isLoopback(s)
	})
}
