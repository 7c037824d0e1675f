package proc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// The range of [FreePorts] is below the one from which the kernel gives outgoing
// connections and listeners on port 0 theirs: a server that is started, or
// started again, must find its port free.
const firstPort, lastPort = 20_000, 32_000

var ports struct {
	sync.Mutex
	next   int
	claims []net.PacketConn // held until the process ends
}

// FreePorts returns n loopback addresses that nobody listens on, each of them
// once on this machine while this process lives: its claim, that other processes
// see, is the UDP port of the same number.
func FreePorts(n int) ([]string, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.next == 0 {
		ports.next = firstPort + rand.IntN(lastPort-firstPort)
	}
	var out []string
	for tried := 0; len(out) < n; tried++ {
		if tried > lastPort-firstPort {
			return nil, fmt.Errorf("no port is free between %d and %d", firstPort, lastPort)
		}
		address := fmt.Sprintf("127.0.0.1:%d", ports.next)
		if ports.next++; ports.next == lastPort {
			ports.next = firstPort
		}
		claim, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		if !refused(address) {
			_ = claim.Close()
			continue
		}
		ports.claims = append(ports.claims, claim)
		out = append(out, address)
	}
	return out, nil
}

// refused reports whether nobody listens there. To listen for a moment would find
// that out too, but the port stays in use longer than that where a process is
// started meanwhile: until it runs its program it has a copy of the socket.
func refused(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = c.Close()
		return false
	}
	timeout, ok := errors.AsType[net.Error](err)
	return !ok || !timeout.Timeout()
}
