package proc

import (
	"fmt"
	"net"
	"os"
	"sync"
)

// The range of [FreePorts] is below the one from which the kernel gives outgoing
// connections their ports: a server that is started again must find its port
// free.
const firstPort, lastPort = 20_000, 32_000

var ports struct {
	sync.Mutex
	next int
}

// FreePorts returns n loopback addresses that nobody listens on, each of them
// once.
func FreePorts(n int) ([]string, error) {
	ports.Lock()
	defer ports.Unlock()
	if ports.next == 0 {
		// Processes side by side look in different places.
		ports.next = firstPort + os.Getpid()%(lastPort-firstPort)
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
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		out = append(out, address)
	}
	return out, nil
}
