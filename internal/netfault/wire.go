// Package netfault lets the connection between two programs go wrong, for the
// chaos suite and the tests of plugins. It is a TCP proxy in the caller's process:
// it does not know what the bytes mean, and UDP does not pass it.
package netfault

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/sluicehq/sluice/internal/proc"
)

// Wire is a connection that can be made to suffer: everything that it carries
// passes a TCP proxy in this process. It is safe for concurrent use.
type Wire struct {
	mu    sync.Mutex
	proxy *toxiproxy.Proxy
}

var proxies = sync.OnceValue(func() *toxiproxy.ApiServer {
	return toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
})

// NewWire listens on a free port and leads to the address. Call Close.
func NewWire(name, to string) (*Wire, error) {
	address, err := proc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	w := &Wire{proxy: toxiproxy.NewProxy(proxies(), name, address[0], to)}
	if err := w.proxy.Start(); err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", name, err)
	}
	return w, nil
}

// Address is where it listens, for good.
func (w *Wire) Address() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.proxy.Listen
}

// Close ends all connections.
func (w *Wire) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proxy.Stop()
}

// Suffer applies a fault, in both directions, until Heal:
//
//   - down refuses connections and cuts those that are there;
//   - timeout holds everything back, and closes after amount milliseconds, 0 never;
//   - reset_peer resets connections after amount milliseconds;
//   - latency delays by amount milliseconds, give or take a half;
//   - limit_data closes after amount bytes;
//   - slicer sends pieces of about amount bytes.
func (w *Wire) Suffer(how string, amount int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if how == "down" {
		w.proxy.Stop()
		return nil
	}
	attributes := map[string]int64{}
	switch how {
	case "latency":
		attributes["latency"], attributes["jitter"] = amount, amount/2
	case "timeout", "reset_peer":
		attributes["timeout"] = amount
	case "limit_data":
		attributes["bytes"] = amount
	case "slicer":
		attributes["average_size"], attributes["size_variation"], attributes["delay"] = amount, amount/2, 500
	}
	for _, stream := range []string{"upstream", "downstream"} {
		body, err := json.Marshal(map[string]any{"type": how, "stream": stream, "attributes": attributes})
		if err != nil {
			return err
		}
		if _, err := w.proxy.Toxics.AddToxicJson(strings.NewReader(string(body))); err != nil {
			return fmt.Errorf("%s on %s: %w", how, w.proxy.Name, err)
		}
	}
	return nil
}

// Heal ends what the wire suffers. All connections are cut, so that what they
// held up does not come long after; a new proxy takes the place of the old one,
// whose toxics end with it.
func (w *Wire) Heal() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proxy.Stop()
	w.proxy = toxiproxy.NewProxy(proxies(), w.proxy.Name, w.proxy.Listen, w.proxy.Upstream)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		err := w.proxy.Start()
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return err
		}
	}
}

// patience is how long the port of a closed listener may be in use. A process that
// this one is just starting has a copy of the socket until it runs its program.
const patience = 10 * time.Second
