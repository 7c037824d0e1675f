package bench

import (
	"context"
	"fmt"
	"net"
	"net/http"
)

// isolationRate is a load that the machine has room for beside the deliveries to
// the others, which have to be booked too.
const isolationRate = 1_000

// isolation compares a healthy destination's rate alone with its rate beside
// three that are of no use.
func (b *bench) isolation(ctx context.Context, to *Result) error {
	hang, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		return err
	}
	defer hang.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	throttle := &http.Server{ReadHeaderTimeout: requestTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	})}
	served := make(chan error, 1)
	go func() { served <- throttle.Serve(l) }()
	defer func() {
		throttle.Close()
		<-served
	}()
	webhook := "  %s:\n    plugin: webhook\n    config: {url: 'http://%s/', timeout: 10s, allow_networks: [127.0.0.0/8]}\n"
	// With so little memory its plugin dies whenever it is started.
	crashing := "  crashing:\n    plugin: webhook\n    limits: {memory: 1MiB}\n    config: {url: 'http://127.0.0.1:9/', allow_networks: [127.0.0.0/8]}\n"
	const beside = "beside three that are of no use"
	others := setup{
		destinations: fmt.Sprintf(webhook, "hanging", hang.Addr()) + fmt.Sprintf(webhook, "throttled", l.Addr()) + crashing,
		to:           ", hanging, throttled, crashing",
	}
	load := stream{connections: senders, records: 1, window: 6_000, rate: pick(b, float64(isolationRate), 50)}
	alone, err := b.sustain(ctx, setup{}, load, to, "alone")
	if err != nil {
		return err
	}
	rate, err := b.sustain(ctx, others, load, to, beside)
	if err != nil || alone == 0 { // possible in the short time of a quick run
		return err
	}
	to.atLeast(beside+", of the rate alone", 100*rate/alone, "%", 90)
	return nil
}
