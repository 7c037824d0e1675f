package main

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// guard decides which addresses may be dialled. It is asked for the address that
// is really dialled, after name resolution, so that a name cannot lead to the
// inside, not even one that changes its address between two look-ups.
type guard struct {
	allowed []netip.Prefix
}

// refusedError says that an address is not public.
type refusedError struct {
	addr netip.Addr
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s is not a public address; to reach it, list its network under allow_networks", e.addr)
}

// inside are the networks of special purpose (IANA registries), and addresses
// of cloud metadata services that lie outside of them.
var inside = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure
	"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20",
	"5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

// wrappers are networks whose addresses stand for an IPv4 address, and where
// in the address that is.
var wrappers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// control is a net.Dialer's ControlContext.
func (g guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %q is no address", address)
	}
	return g.check(ap.Addr())
}

// check returns a [*refusedError] for an address that is not public and not allowed.
func (g guard) check(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if contains(g.allowed, addr) {
		return nil
	}
	for _, w := range wrappers {
		if !w.prefix.Contains(addr) {
			continue
		}
		b := addr.As16()
		v4 := netip.AddrFrom4([4]byte(b[w.at : w.at+4]))
		if contains(inside, addr) || contains(inside, v4) && !contains(g.allowed, v4) {
			return &refusedError{addr}
		}
		return nil
	}
	if contains(inside, addr) {
		return &refusedError{addr}
	}
	return nil
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
