//go:build !slim

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// endpoint is an address that Temporal will listen on: it takes an IP and a
// port, and no listener.
type endpoint struct {
	ip   net.IP
	port int
}

func (e endpoint) String() string { return net.JoinHostPort(e.ip.String(), strconv.Itoa(e.port)) }

// dialable is the address under which this process reaches the endpoint.
func (e endpoint) dialable() string {
	ip := e.ip
	if ip.IsUnspecified() {
		ip = loopback(ip)
	}
	return net.JoinHostPort(ip.String(), strconv.Itoa(e.port))
}

func loopback(like net.IP) net.IP {
	if like.To4() == nil {
		return net.IPv6loopback
	}
	return net.IPv4(127, 0, 0, 1)
}

// listen opens a TCP listener and turns its errors into what a user can act on.
func listen(ctx context.Context, setting, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s is in use: choose another or port 0: %w", setting, address, err)
	default:
		return nil, fmt.Errorf("%s: %s: %w", setting, address, err)
	}
}

// reserve finds out the addresses for Temporal's listeners. All are held
// together, so that they differ, and then let go in a way that keeps the
// kernel from handing them out as free ports until Temporal takes them.
func reserve(ctx context.Context, setting string, addresses ...string) (_ []endpoint, err error) {
	var out []endpoint
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, a := range addresses {
		l, err := listen(ctx, setting, a)
		if err != nil {
			return nil, err
		}
		held = append(held, l)
		tcp, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("%s: %s: not a TCP address", setting, a)
		}
		ip := tcp.IP
		if host, _, _ := net.SplitHostPort(a); host == "0.0.0.0" {
			ip = net.IPv4zero
		}
		e := endpoint{ip: ip, port: tcp.Port}
		out = append(out, e)
		if err := linger(ctx, l, e); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", setting, a, err)
		}
	}
	return out, nil
}

// linger leaves a closed connection on the port. While that is remembered the
// port can be listened on, but is not given away as a free one.
func linger(ctx context.Context, l net.Listener, e endpoint) error {
	client, err := (&net.Dialer{}).DialContext(ctx, "tcp", e.dialable())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		return err
	}
	return server.Close()
}
