package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The errors of this file say what is wrong with a text without quoting it;
// the caller knows whether it may be quoted.

var (
	durationDays  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d(.*)$`)
	wholeNumber   = regexp.MustCompile(`^[+-]?[0-9]+$`)
	leadingZero   = regexp.MustCompile(`^[+-]?0[0-9_]+$`)
	decimalNumber = regexp.MustCompile(`^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$`)
	sizeText      = regexp.MustCompile(`^([0-9]+)\s*([A-Za-z]*)$`)
	sha256Text    = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)
)

var (
	errNoUnit    = errors.New("has no unit")
	errRange     = errors.New("is too large")
	errOctal     = errors.New("starts with a zero, which some programs read as octal")
	errNotNumber = errors.New("is not a number")
)

// parseDuration reads a Go duration that may begin with days: 90s, 1h30m, 7d, 1d12h.
func parseDuration(s string) (time.Duration, error) {
	if s != "0" && decimalNumber.MatchString(s) {
		return 0, errNoUnit
	}
	sign, rest := time.Duration(1), s
	if strings.HasPrefix(s, "-") {
		sign, rest = -1, s[1:]
	}
	m := durationDays.FindStringSubmatch(rest)
	if m == nil {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, errors.New("is not a duration")
		}
		return d, nil
	}
	hours, err := time.ParseDuration(m[1] + "h")
	if err != nil || hours > math.MaxInt64/24 {
		return 0, errRange
	}
	var tail time.Duration
	if m[2] != "" {
		if tail, err = time.ParseDuration(m[2]); err != nil || strings.ContainsAny(m[2], "+-") {
			return 0, errors.New("is not a duration")
		}
	}
	if 24*hours > math.MaxInt64-tail {
		return 0, errRange
	}
	return sign * (24*hours + tail), nil
}

// formatDuration writes 30s, 1h30m or 720h rather than 720h0m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

var sizeUnits = map[string]int64{
	"": 1, "b": 1,
	"kb": 1000, "mb": 1000 * 1000, "gb": 1000 * 1000 * 1000,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}

// parseSize reads a number of bytes: 33554432, 32MiB, 10 MB.
func parseSize(s string) (int64, error) {
	m := sizeText.FindStringSubmatch(s)
	if m == nil {
		return 0, errors.New("is not a size")
	}
	unit, ok := sizeUnits[strings.ToLower(m[2])]
	if !ok {
		return 0, errors.New("has an unknown unit")
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, errRange
	}
	return n * unit, nil
}

// formatSize writes the largest binary unit that divides n.
func formatSize(n int64) string {
	for _, u := range []string{"GiB", "MiB", "KiB"} {
		if unit := sizeUnits[strings.ToLower(u)]; n > 0 && n%unit == 0 {
			return strconv.FormatInt(n/unit, 10) + u
		}
	}
	return strconv.FormatInt(n, 10)
}

func parseWhole(s string) (int64, error) {
	switch {
	case leadingZero.MatchString(s):
		return 0, errOctal
	case !wholeNumber.MatchString(s):
		return 0, errNotNumber
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errRange
	}
	return n, nil
}

func parseNumber(s string) (float64, error) {
	switch {
	case leadingZero.MatchString(s):
		return 0, errOctal
	case !decimalNumber.MatchString(s):
		return 0, errNotNumber
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, errRange
	}
	return x, nil
}

// checkAddress accepts host:port with a numeric port. The host may be empty
// (all interfaces), a name or an IP address.
func checkAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsAny(host, " \t\n/@") {
		return errors.New("is not host:port")
	}
	if strings.Contains(host, ":") {
		if _, err := netip.ParseAddr(host); err != nil {
			return errors.New("is not host:port")
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("has no port between 0 and 65535")
	} else if strconv.FormatUint(n, 10) != port {
		return errors.New("is not host:port")
	}
	return nil
}

// isLoopback reports whether only this machine can reach the address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
